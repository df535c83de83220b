// SPDX-License-Identifier: Apache-2.0
// Groups: leases, nacks, expiry, dead letters, and the timer that drives them.
#include <algorithm>
#include <iterator>

#include "base/logging.h"
#include "broker/broker_impl.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::int64_t kLeaseMsMin = 10;
constexpr std::int64_t kLeaseMsMax = 24LL * 3'600 * 1'000;
constexpr std::int64_t kWaitMsMax = 60'000;
constexpr std::size_t kWaitersMax = 10'000;  // per group
constexpr std::int64_t kTimerMsMin = 1;      // a retry that fails must not spin
constexpr std::size_t kReasonBytesMax = 1'024;
constexpr std::size_t kDeadHeaders = 5;
const std::string kDeadGroup = "x-dead-group";

std::string cut_utf8(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text;
}

std::string dead_letter_subject(const GroupSpec& spec) {
  if (!spec.dead_letter.empty()) return spec.dead_letter;
  std::string subject = "dead." + spec.name;
  return validate_subject(subject) ? subject : "dead";
}

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

void Broker::Impl::create_group(GroupSpec spec, const Done<void>& done) {
  if (Status checked = check_spec(spec); !checked) return done(std::move(checked));
  if (const GroupState* group = state_.group(spec.name)) {
    if (group->spec() == spec) return when_durable(done);
    return done(
        Error{Code::kAlreadyExists, "group '" + spec.name + "' exists with other settings"});
  }
  const auto appended =
      append({{}, {record::GroupCreated{clock_.wall_ms(), std::move(spec)}}}, done);
  if (!appended) done(appended.error());
}

void Broker::Impl::delete_group(const std::string& name, const Done<void>& done) {
  if (state_.group(name) == nullptr) return done(no_group(name));
  const auto appended = append({{}, {record::GroupDeleted{clock_.wall_ms(), name}}}, done);
  if (!appended) return done(appended.error());
  const auto found = waiters_.find(name);
  if (found == waiters_.end()) return;
  const std::deque<Waiter> waiting = std::move(found->second);
  waiters_.erase(found);
  for (const Waiter& waiter : waiting) {
    loop_.cancel(waiter.timer);
    waiter.done(no_group(name));
  }
}

void Broker::Impl::lease(const std::string& group, std::string consumer, std::size_t count,
                         std::int64_t wait_ms, Done<std::vector<Delivery>> done) {
  if (state_.group(group) == nullptr) return done(no_group(group));
  if (count == 0) return done(invalid_argument("count must be at least 1"));
  std::deque<Waiter>& waiting = waiters_[group];
  if (waiting.size() >= kWaitersMax) {
    overloaded_count_.add();
    return done(overloaded("too many consumers wait on group '" + group + "'"));
  }
  const std::uint64_t id = ++last_waiter_;
  waiting.push_back(
      {std::move(consumer), std::min(count, options_.lease_batch_max), std::move(done), id});
  serve(group);
  const auto left = waiters_.find(group);
  if (left == waiters_.end()) return;  // first come, first served: nobody waits, nor does this one
  if (wait_ms <= 0) return end_wait(group, id);
  left->second.back().timer =
      loop_.post_after(std::min(wait_ms, kWaitMsMax), [weak = weak_from_this(), group, id] {
        if (const auto self = weak.lock()) self->end_wait(group, id);
      });
}

void Broker::Impl::end_wait(const std::string& group, std::uint64_t waiter) {
  const auto found = waiters_.find(group);
  if (found == waiters_.end()) return;
  std::deque<Waiter>& waiting = found->second;
  const auto ended = std::find_if(waiting.begin(), waiting.end(),
                                  [waiter](const Waiter& w) { return w.id == waiter; });
  if (ended == waiting.end()) return;
  const Done<std::vector<Delivery>> tell = std::move(ended->done);
  waiting.erase(ended);
  if (waiting.empty()) waiters_.erase(found);
  tell(std::vector<Delivery>{});
}

void Broker::Impl::cancel_wait(const std::string& group, const std::string& consumer) {
  const auto found = waiters_.find(group);
  if (found == waiters_.end()) return;
  std::vector<std::uint64_t> ended;
  for (const Waiter& waiter : found->second) {
    if (waiter.consumer != consumer) continue;
    loop_.cancel(waiter.timer);
    ended.push_back(waiter.id);
  }
  for (const std::uint64_t id : ended) end_wait(group, id);
}

// Gives those who wait what is ready, in the order they came.
void Broker::Impl::serve(const std::string& name) {
  GroupState* group = state_.group(name);
  const auto found = waiters_.find(name);
  if (group == nullptr || found == waiters_.end()) return;
  std::deque<Waiter>& waiting = found->second;
  while (!waiting.empty()) {
    const auto offsets = group->ready(now_ms(), durable_, waiting.front().count);
    if (offsets.empty()) break;
    Result<std::vector<Delivery>> deliveries = take(*group, waiting.front().consumer, offsets);
    if (deliveries && deliveries->empty()) continue;  // all were late: look again
    const Waiter waiter = std::move(waiting.front());
    waiting.pop_front();
    loop_.cancel(waiter.timer);
    waiter.done(std::move(deliveries));
  }
  if (waiting.empty()) waiters_.erase(found);
  arm_timer(*group);
}

// Nobody waits for the record of a lease: to lose it means one more delivery, which is allowed.
Result<std::vector<Delivery>> Broker::Impl::take(GroupState& group, const std::string& consumer,
                                                 const std::vector<std::uint64_t>& offsets) {
  const std::int64_t now = now_ms();
  const std::int64_t wall = clock_.wall_ms();
  const std::string& name = group.spec().name;
  const std::int64_t lease_ms = group.spec().lease_ms;
  std::vector<Delivery> deliveries;
  Changes changes;
  std::uint64_t late = 0;
  for (const std::uint64_t offset : offsets) {
    const Result<MessagePtr> message = body(offset);
    if (!message && changes.rest.empty()) return message.error();
    if (!message) break;  // the next call meets it first, and tells
    if ((*message)->deadline_ms != 0 && (*message)->deadline_ms <= wall) {
      changes.rest.emplace_back(record::Acked{now, name, offset});
      ++late;
      continue;
    }
    const std::uint32_t attempt = group.attempts(offset) + 1;
    changes.rest.emplace_back(record::Leased{now, name, consumer, offset, attempt, now + lease_ms});
    deliveries.push_back({name, offset, attempt, wall + lease_ms, **message});
  }
  if (const auto appended = append(std::move(changes), {}); !appended) return appended.error();
  delivered_count_.add(deliveries.size());
  late_count_.add(late);
  return deliveries;
}

void Broker::Impl::nack(const LeaseRef& lease, std::int64_t delay_ms, bool counts,
                        const std::string& reason, const Done<void>& done) {
  if (Status held = check_lease(lease); !held) return done(std::move(held));
  const std::int64_t now = now_ms();
  const std::int64_t retry_at = delay_ms > 0 ? now + std::min(delay_ms, kLeaseMsMax) : 0;
  GroupState& group = *state_.group(lease.group);
  const std::string shown = cut_utf8(reason, kReasonBytesMax);
  const Status given = give_back(
      group, lease.offset, record::Nacked{now, lease.group, lease.offset, retry_at, counts, shown},
      counts, shown, done);
  if (!given) return done(given);
  nacked_count_.add();
  arm_timer(group);
  serve(lease.group);
}

// `record` gives it back; after the last attempt it is given up instead.
Status Broker::Impl::give_back(GroupState& group, std::uint64_t offset, Record record, bool counts,
                               const std::string& reason, Release release) {
  const auto attempts_max = static_cast<std::uint32_t>(group.spec().attempts_max);
  Changes changes;
  if (counts && group.attempts(offset) >= attempts_max) {
    QIAO_ASSIGN(changes, give_up(group, offset, reason));
    dead_count_.add();
  } else {
    changes.rest.push_back(std::move(record));
  }
  const auto appended = append(std::move(changes), std::move(release));
  return appended ? Status() : Status(appended.error());
}

// The dead letter and the end of the original in one batch. A letter that is given up itself stays
// where it is: groups that see each other's letters would pass them on for ever.
Result<Broker::Impl::Changes> Broker::Impl::give_up(const GroupState& group, std::uint64_t offset,
                                                    const std::string& reason) {
  Changes changes;
  changes.rest.emplace_back(record::Acked{now_ms(), group.spec().name, offset});
  QIAO_ASSIGN(const MessagePtr message, body(offset));
  if (message->headers.contains(kDeadGroup)) return changes;
  Message letter = *message;
  letter.id = ids_.next();
  letter.subject = dead_letter_subject(group.spec());
  letter.cause = message->id;
  letter.time_ms = clock_.wall_ms();
  letter.deadline_ms = 0;  // what is dead is never late
  while (letter.headers.size() + kDeadHeaders > kHeadersMax)
    letter.headers.erase(std::prev(letter.headers.end()));
  letter.headers[kDeadGroup] = group.spec().name;
  letter.headers["x-dead-origin"] = message->subject;
  letter.headers["x-dead-offset"] = std::to_string(offset);
  letter.headers["x-dead-attempts"] = std::to_string(group.attempts(offset));
  letter.headers["x-dead-reason"] = reason;
  changes.publish.push_back(std::make_shared<const Message>(std::move(letter)));
  return changes;
}

void Broker::Impl::extend(const LeaseRef& lease, std::int64_t lease_ms,
                          const Done<std::int64_t>& done) {
  if (const Status held = check_lease(lease); !held) return done(held.error());
  const std::int64_t now = now_ms();
  const std::int64_t kept_ms = std::clamp(lease_ms, kLeaseMsMin, kLeaseMsMax);
  const std::int64_t until = clock_.wall_ms() + kept_ms;
  const auto appended = append(
      {{}, {record::Extended{now, lease.group, lease.offset, now + kept_ms}}},
      [done, until](Status status) { status ? done(until) : done(std::move(status.error())); });
  if (!appended) return done(appended.error());
  arm_timer(*state_.group(lease.group));
}

// One timer for the soonest lease end or retry of all groups. It may fire too early for what was
// acked meanwhile, and then finds nothing to do.
void Broker::Impl::arm_timer(const GroupState& group) {
  const std::optional<std::int64_t> at = group.next_time_ms();
  if (!at || (timer_ && timer_->second <= *at)) return;
  if (timer_) loop_.cancel(timer_->first);
  const std::int64_t delay = std::max(kTimerMsMin, *at - now_ms());
  timer_.emplace(loop_.post_after(delay,
                                  [weak = weak_from_this()] {
                                    if (const auto self = weak.lock()) self->on_timer();
                                  }),
                 *at);
}

void Broker::Impl::on_timer() {
  timer_.reset();
  if (failed_ || finished_) return;
  const std::int64_t now = now_ms();
  for (auto& [name, group] : state_.groups()) {
    for (const std::uint64_t offset : group.run_out(now)) {
      const Status given = give_back(group, offset, record::Expired{now, name, offset, 0}, true,
                                     "the lease ran out", {});
      if (!given) {  // tried again when the timer fires next
        log_warn("broker", "a lease could not be ended: " + given.error().message);
        break;
      }
      expired_count_.add();
    }
    serve(name);
    arm_timer(group);
  }
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
