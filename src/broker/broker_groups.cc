// SPDX-License-Identifier: Apache-2.0
// Groups: leases, nacks, expiry, dead letters, and the timer that drives them.
#include <algorithm>

#include "broker/broker_impl.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::int64_t kLeaseMsMin = 10;
constexpr std::int64_t kLeaseMsMax = 24LL * 3'600 * 1'000;
constexpr std::int64_t kWaitMsMax = 60'000;
constexpr std::size_t kWaitersMax = 10'000;  // per group

Status check_spec(const GroupSpec& spec) {
  if (spec.name.empty() || spec.name.size() > kIdBytesMax)
    return invalid_argument("a group needs a name of at most 128 bytes");
  if (!valid_utf8(spec.name)) return invalid_argument("the group's name is not UTF-8");
  QIAO_TRY(validate_pattern(spec.pattern));
  if (!spec.dead_letter.empty()) QIAO_TRY(validate_subject(spec.dead_letter));
  if (spec.lease_ms < kLeaseMsMin || spec.lease_ms > kLeaseMsMax) {
    return invalid_argument("lease_ms is from 10 to 86400000 (a day)");
  }
  if (spec.attempts_max < 1 || spec.attempts_max > 1'000)
    return invalid_argument("attempts_max is from 1 to 1000");
  return {};
}

Error no_group(const std::string& group) {
  return not_found("there is no group '" + group + "'; make it with PUT /v1/groups/" + group);
}

}  // namespace

void Broker::Impl::create_group(GroupSpec spec, Done<void> done) {
  if (Status checked = check_spec(spec); !checked) return done(std::move(checked));
  if (GroupState* group = state_.group(spec.name)) {
    if (group->spec() == spec) return done({});
    return done(
        Error{Code::kAlreadyExists, "group '" + spec.name + "' exists with other settings"});
  }
  const Status appended = append({record::GroupCreated{clock_.wall_ms(), std::move(spec)}}, done);
  if (!appended) done(appended);
}

void Broker::Impl::delete_group(const std::string& group, Done<void> done) {
  if (state_.group(group) == nullptr) return done(no_group(group));
  if (const auto waiting = waiters_.find(group); waiting != waiters_.end()) {
    for (const Waiter& waiter : waiting->second) waiter.done(no_group(group));
    waiters_.erase(waiting);
  }
  const Status appended = append({record::GroupDeleted{clock_.wall_ms(), group}}, done);
  if (!appended) done(appended);
}

void Broker::Impl::lease(const std::string& group, std::string consumer, std::size_t count,
                         std::int64_t wait_ms, Done<std::vector<Delivery>> done) {
  if (state_.group(group) == nullptr) return done(no_group(group));
  if (count == 0) return done(invalid_argument("count must be at least 1"));
  std::deque<Waiter>& waiting = waiters_[group];
  if (waiting.size() >= kWaitersMax)
    return done(overloaded("too many consumers wait on group '" + group + "'"));
  const std::uint64_t id = ++last_waiter_;
  waiting.push_back(
      {std::move(consumer), std::min(count, options_.lease_batch_max), std::move(done), id});
  serve(group);
  if (waiting.empty() || waiting.back().id != id) return;
  loop_.post_after(std::clamp<std::int64_t>(wait_ms, 0, kWaitMsMax),
                   [self = shared_from_this(), group, id] {
                     const auto found = self->waiters_.find(group);
                     if (found == self->waiters_.end()) return;
                     const auto waiter = std::find_if(found->second.begin(), found->second.end(),
                                                      [id](const Waiter& w) { return w.id == id; });
                     if (waiter == found->second.end()) return;
                     const Done<std::vector<Delivery>> tell = std::move(waiter->done);
                     found->second.erase(waiter);
                     tell(std::vector<Delivery>{});
                   });
}

void Broker::Impl::cancel_wait(const std::string& group, const std::string& consumer) {
  const auto found = waiters_.find(group);
  if (found == waiters_.end()) return;
  std::deque<Waiter> kept;
  std::deque<Waiter> ended;
  for (Waiter& waiter : found->second)
    (waiter.consumer == consumer ? ended : kept).push_back(std::move(waiter));
  found->second = std::move(kept);
  for (const Waiter& waiter : ended) waiter.done(std::vector<Delivery>{});
}

void Broker::Impl::serve(const std::string& name) {
  GroupState* group = state_.group(name);
  const auto waiting = waiters_.find(name);
  if (group == nullptr || waiting == waiters_.end()) return;
  while (!waiting->second.empty() && group->next(clock_.wall_ms(), durable_)) {
    const Waiter waiter = std::move(waiting->second.front());
    waiting->second.pop_front();
    waiter.done(take(*group, waiter.consumer, waiter.count));
  }
  arm_timer();
}

// A lease is not waited for: losing its record means one more delivery, which is allowed.
Result<std::vector<Delivery>> Broker::Impl::take(GroupState& group, const std::string& consumer,
                                                 std::size_t count) {
  std::vector<Delivery> deliveries;
  const std::int64_t now = clock_.wall_ms();
  while (deliveries.size() < count) {
    const auto offset = group.next(now, durable_);
    if (!offset) break;
    QIAO_ASSIGN(const MessagePtr message, body(*offset));
    if (message->deadline_ms != 0 && message->deadline_ms <= now) {
      QIAO_TRY(append({record::Acked{now, group.spec().name, *offset}}, {}));
      expired_count_.add();
      continue;
    }
    Delivery delivery;
    delivery.group = group.spec().name;
    delivery.offset = *offset;
    delivery.attempt = group.item(*offset)->attempt + 1;
    delivery.until_ms = now + group.spec().lease_ms;
    delivery.message = *message;
    const Status appended = append({record::Leased{now, delivery.group, consumer, delivery.offset,
                                                   delivery.attempt, delivery.until_ms}},
                                   {});
    if (!appended) {
      if (deliveries.empty()) return appended.error();
      break;
    }
    deliveries.push_back(std::move(delivery));
  }
  delivered_count_.add(deliveries.size());
  return deliveries;
}

void Broker::Impl::nack(const LeaseRef& lease, std::int64_t delay_ms, bool counts,
                        std::string reason, Done<void> done) {
  if (Status held = check_lease(lease); !held) return done(std::move(held));
  const std::int64_t now = clock_.wall_ms();
  const std::int64_t retry_at = delay_ms > 0 ? now + std::min(delay_ms, kLeaseMsMax) : 0;
  nacked_count_.add();
  const Status given =
      give_back(*state_.group(lease.group), lease.offset, retry_at, counts, reason, false, done);
  if (!given) return done(given);
  serve(lease.group);
}

Status Broker::Impl::give_back(GroupState& group, std::uint64_t offset, std::int64_t retry_at_ms,
                               bool counts, const std::string& reason, bool expired,
                               Release release) {
  const std::int64_t now = clock_.wall_ms();
  const std::string& name = group.spec().name;
  const bool spent = counts && group.item(offset)->attempt >=
                                   static_cast<std::uint32_t>(group.spec().attempts_max);
  if (!spent && expired)
    return append({record::Expired{now, name, offset, retry_at_ms}}, std::move(release));
  if (!spent)
    return append({record::Nacked{now, name, offset, retry_at_ms, counts, reason}},
                  std::move(release));

  QIAO_ASSIGN(std::vector<Record> records, dead_letter(group, offset, reason));
  auto letter =
      std::make_shared<const Message>(std::get<record::Published>(records.front()).message);
  const std::uint64_t letter_offset = next_;
  dead_count_.add();
  return append(std::move(records),
                [this, letter, letter_offset, release = std::move(release)](Status status) {
                  if (status) release_message(letter_offset, letter);
                  if (release) release(status);
                });
}

// The letter and the end of the original in one batch.
Result<std::vector<Record>> Broker::Impl::dead_letter(const GroupState& group, std::uint64_t offset,
                                                      const std::string& reason) {
  QIAO_ASSIGN(const MessagePtr message, body(offset));
  Message letter = *message;
  letter.headers["x-dead-group"] = group.spec().name;
  letter.headers["x-dead-origin"] = message->subject;
  letter.headers["x-dead-offset"] = std::to_string(offset);
  letter.headers["x-dead-attempts"] = std::to_string(group.item(offset)->attempt);
  letter.headers["x-dead-reason"] = reason;
  letter.cause = message->id;
  letter.id = ids_.next();
  letter.subject =
      group.spec().dead_letter.empty() ? "dead." + group.spec().name : group.spec().dead_letter;
  letter.time_ms = clock_.wall_ms();
  if (!validate_subject(letter.subject)) letter.subject = "dead";
  std::vector<Record> records;
  records.emplace_back(record::Published{std::move(letter)});
  records.emplace_back(record::Acked{clock_.wall_ms(), group.spec().name, offset});
  return records;
}

void Broker::Impl::extend(const LeaseRef& lease, std::int64_t lease_ms, Done<std::int64_t> done) {
  if (Status held = check_lease(lease); !held) return done(std::move(held.error()));
  const std::int64_t until = clock_.wall_ms() + std::clamp(lease_ms, kLeaseMsMin, kLeaseMsMax);
  const Status appended =
      append({record::Extended{clock_.wall_ms(), lease.group, lease.offset, until}}, {});
  appended ? done(until) : done(appended.error());
  arm_timer();
}

// One timer for the soonest lease end or retry of all groups.
void Broker::Impl::arm_timer() {
  std::optional<std::int64_t> soonest;
  for (const auto& [name, group] : state_.groups()) {
    if (const auto at = group.next_time_ms()) soonest = std::min(soonest.value_or(INT64_MAX), *at);
  }
  if (timer_ && soonest && timer_->second <= *soonest) return;
  if (timer_) loop_.cancel(timer_->first);
  timer_.reset();
  if (!soonest) return;
  const std::int64_t delay = std::max<std::int64_t>(0, *soonest - clock_.wall_ms());
  timer_.emplace(loop_.post_after(delay, [self = shared_from_this()] { self->on_timer(); }),
                 *soonest);
}

void Broker::Impl::on_timer() {
  timer_.reset();
  if (failed_) return;
  const std::int64_t now = clock_.wall_ms();
  for (auto& [name, group] : state_.groups()) {
    for (const std::uint64_t offset : group.run_out(now)) {
      expired_count_.add();
      if (!give_back(group, offset, 0, true, "the lease ran out", true, {})) break;
    }
    serve(name);
  }
  arm_timer();
}

void Broker::Impl::groups(const Done<std::vector<GroupInfo>>& done) {
  std::vector<GroupInfo> out;
  const std::int64_t now = clock_.wall_ms();
  for (const auto& [name, group] : state_.groups()) {
    GroupInfo info{group.spec(), group.waiting_count(), group.leased_count(), group.acked_count(),
                   0};
    if (const auto oldest = group.oldest()) {
      if (const auto message = body(*oldest)) info.oldest_waiting_ms = now - (*message)->time_ms;
    }
    out.push_back(std::move(info));
  }
  done(std::move(out));
}

}  // namespace qiao
