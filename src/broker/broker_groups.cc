// SPDX-License-Identifier: Apache-2.0
// Groups: leases, nacks, expiry, and the timer that drives them.
#include <algorithm>

#include "base/logging.h"
#include "broker/backoff.h"
#include "broker/broker_impl.h"
#include "broker/dead_letter.h"
#include "broker/tokens.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::int64_t kLeaseMsMin = 10;
constexpr std::int64_t kLeaseMsMax = 24LL * 3'600 * 1'000;
constexpr std::int64_t kWaitMsMax = 60'000;
constexpr std::size_t kWaitersMax = 10'000;  // per group
constexpr std::int64_t kTimerMsMin = 1;      // a retry that fails must not spin
constexpr std::size_t kLookPastMax = 64;     // ready messages that a consumer may not be able to do
constexpr std::size_t kRulesMax = 32;
constexpr std::uint32_t kFollowersMax = 1'000;
constexpr std::uint64_t kLeasesPerMs = 1'000;  // names of leases stay below 2^53: a number in JSON

Status check_backoff(const Backoff& backoff) {
  if (backoff.first_ms < 0 || backoff.first_ms > kLeaseMsMax || backoff.max_ms < 1 ||
      backoff.max_ms > kLeaseMsMax)
    return invalid_argument("a backoff is from 0 to 86400000 ms (a day), its most at least 1");
  return {};
}

Status check_rules(const std::vector<RetryRule>& rules) {
  if (rules.size() > kRulesMax) return invalid_argument("a group has at most 32 retry rules");
  for (const RetryRule& rule : rules) {
    if (rule.error.empty() || rule.error.size() > kIdBytesMax || !valid_utf8(rule.error))
      return invalid_argument("a retry rule needs the error's name, UTF-8 of at most 128 bytes");
    if (rule.attempts_max < 1 || rule.attempts_max > 1'000)
      return invalid_argument("attempts_max of the rule for '" + rule.error +
                              "' is from 1 to 1000");
    QIAO_TRY(check_backoff(rule.backoff));
  }
  return {};
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
  if (spec.busy != Busy::kEnqueue && !spec.ordered)
    return invalid_argument(
        "a group that is not ordered has no conversations to be busy: leave "
        "out 'busy' or 'ordered'");
  if (spec.followers_max < 1 || spec.followers_max > kFollowersMax)
    return invalid_argument("followers_max is from 1 to 1000");
  QIAO_TRY(check_backoff(spec.backoff));
  return check_rules(spec.rules);
}

// A flow's own group takes the settings of its file anew at each start.
bool may_change(const GroupSpec& now, const GroupSpec& wanted) {
  return now.name.starts_with("flow.") && now.pattern == wanted.pattern &&
         now.ordered == wanted.ordered && now.start == wanted.start;
}

// The rule for a class of error, or what the group says of all.
RetryRule rule_of(const GroupSpec& spec, std::string_view error) {
  for (const RetryRule& rule : spec.rules) {
    if (!error.empty() && rule.error == error) return rule;
  }
  if (error == kSpentError) return {std::string(error), 1, {}};
  return {"", spec.attempts_max, spec.backoff};
}

Error no_group(const std::string& group) {
  return not_found("there is no group '" + group + "'; make it with PUT /v1/groups/" + group);
}

}  // namespace

void Broker::Impl::create_group(GroupSpec spec, const Done<void>& done) {
  if (Status checked = check_spec(spec); !checked) return done(std::move(checked));
  if (const GroupState* group = state_.group(spec.name)) {
    if (group->spec() == spec) return when_durable(done);
    if (!may_change(group->spec(), spec)) {
      return done(
          Error{Code::kAlreadyExists, "group '" + spec.name + "' exists with other settings"});
    }
  }
  const auto appended = append({{}, {record::GroupCreated{time_.now_ms(), std::move(spec)}}}, done);
  if (!appended) done(appended.error());
}

void Broker::Impl::delete_group(const std::string& name, const Done<void>& done) {
  if (state_.group(name) == nullptr) return done(no_group(name));
  const auto appended = append({{}, {record::GroupDeleted{time_.now_ms(), name}}}, done);
  if (!appended) return done(appended.error());
  for (auto joiner = joiners_.lower_bound({name, 0});
       joiner != joiners_.end() && joiner->first.first == name;
       joiner = joiners_.lower_bound({name, 0}))
    end_joiner(LeaseName(joiner->first), no_group(name));
  const auto found = waiters_.find(name);
  if (found == waiters_.end()) return;
  const std::deque<Waiter> waiting = std::move(found->second);
  waiters_.erase(found);
  for (const Waiter& waiter : waiting) {
    loop_.cancel(waiter.timer);
    waiter.done(no_group(name));
  }
}

void Broker::Impl::lease(const std::string& group, LeaseWish wish,
                         Done<std::vector<Delivery>> done) {
  if (state_.group(group) == nullptr) return done(no_group(group));
  if (wish.count == 0) return done(invalid_argument("count must be at least 1"));
  std::deque<Waiter>& waiting = waiters_[group];
  if (waiting.size() >= kWaitersMax) {
    overloaded_count_.add();
    return done(overloaded("too many consumers wait on group '" + group + "'"));
  }
  const std::uint64_t id = ++last_waiter_;
  const std::int64_t wait_ms = wish.wait_ms;
  wish.count = std::min(wish.count, options_.lease_batch_max);
  waiting.push_back({std::move(wish), std::move(done), id});
  serve(group);
  const auto left = waiters_.find(group);
  if (left == waiters_.end() || left->second.back().id != id) return;  // it was served
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
    if (waiter.wish.consumer != consumer) continue;
    loop_.cancel(waiter.timer);
    ended.push_back(waiter.id);
  }
  for (const std::uint64_t id : ended) end_wait(group, id);
}

// Gives those who wait what is ready, in the order they came; one that can do none of it lets the
// next one ask.
void Broker::Impl::serve(const std::string& name) {
  GroupState* group = state_.group(name);
  const auto found = waiters_.find(name);
  if (group == nullptr || found == waiters_.end()) return;
  std::deque<Waiter>& waiting = found->second;
  for (auto at = waiting.begin(); at != waiting.end();) {
    Result<Taken> taken = take(*group, at->wish);
    if (taken && taken->none_ready) break;
    if (taken && taken->deliveries.empty()) {
      ++at;
      continue;
    }
    const Waiter waiter = std::move(*at);
    at = waiting.erase(at);
    loop_.cancel(waiter.timer);
    taken ? waiter.done(std::move(taken->deliveries)) : waiter.done(std::move(taken.error()));
  }
  if (waiting.empty()) waiters_.erase(found);
  arm_timer(*group);
}

// Nobody waits for the record of a lease: to lose it means one more delivery, which is allowed.
Result<Broker::Impl::Taken> Broker::Impl::take(GroupState& group, const LeaseWish& wish) {
  const bool choosy = wish.capacity.tokens_per_s != 0 || wish.capacity.context_tokens != 0;
  const std::size_t look = wish.count + (choosy ? kLookPastMax : 0);
  while (true) {
    const auto offsets = group.ready(time_.now_ms(), durable_, look);
    if (offsets.empty()) return Taken{{}, true};
    Changes changes;
    QIAO_ASSIGN(std::vector<Delivery> deliveries, choose(group, wish, offsets, changes));
    if (changes.rest.empty()) return Taken{};
    if (const auto appended = append(std::move(changes), {}); !appended) return appended.error();
    delivered_count_.add(deliveries.size());
    if (!deliveries.empty()) return Taken{std::move(deliveries)};
    // all were late and are gone: look again
  }
}

// Goes through what is ready, best first. What the consumer cannot do (too long for its context),
// or not in time after what it got before, is left to others; the first is given in any case.
Result<std::vector<Delivery>> Broker::Impl::choose(GroupState& group, const LeaseWish& wish,
                                                   const std::vector<std::uint64_t>& offsets,
                                                   Changes& changes) {
  const std::int64_t wall = clock_.wall_ms();
  const Capacity& capacity = wish.capacity;
  std::vector<Delivery> deliveries;
  std::uint64_t tokens = 0;
  for (const std::uint64_t offset : offsets) {
    if (deliveries.size() >= wish.count) break;
    const Result<MessagePtr> message = body(offset);
    if (!message && changes.rest.empty()) return message.error();
    if (!message) break;  // the next call meets it first, and tells
    const std::int64_t deadline = (*message)->deadline_ms;
    if (deadline != 0 && deadline <= wall) {
      changes.rest.emplace_back(record::Acked{now_ms(), group.spec().name, offset});
      late_count_.add();
      continue;
    }
    const std::uint64_t more = broker::estimate_tokens(**message);
    if (capacity.context_tokens != 0 && more > capacity.context_tokens) continue;
    if (capacity.tokens_per_s != 0 && !deliveries.empty()) {
      const auto work_ms =
          static_cast<std::int64_t>((tokens + more) * 1'000 / capacity.tokens_per_s);
      if (work_ms > group.spec().lease_ms || (deadline != 0 && wall + work_ms > deadline)) continue;
    }
    tokens += more;
    QIAO_TRY(lease_it(group, wish, offset, **message, deliveries, changes));
  }
  return deliveries;
}

// Names rise with the clock, so that they differ also from those of leases whose records a crash
// took: their holders may still call.
std::uint64_t Broker::Impl::next_lease() {
  const auto now = static_cast<std::uint64_t>(std::max<std::int64_t>(0, clock_.wall_ms()));
  return last_lease_ = std::max(last_lease_ + 1, now * kLeasesPerMs);
}

Status Broker::Impl::lease_it(GroupState& group, const LeaseWish& wish, std::uint64_t offset,
                              const Message& message, std::vector<Delivery>& deliveries,
                              Changes& changes) {
  const std::int64_t now = now_ms();
  const GroupSpec& spec = group.spec();
  Delivery delivery{spec.name, offset, group.attempts(offset) + 1, clock_.wall_ms() + spec.lease_ms,
                    message};
  delivery.lease = next_lease();
  std::vector<std::uint64_t> followers = group.followers(offset);
  std::vector<std::uint64_t> joining;
  const bool begun = !group.receipts().of(offset).empty();  // its receipts are of what it was
  if (spec.busy == Busy::kMerge && !begun)
    joining = group.joinable(offset, time_.now_ms(), durable_);
  followers.insert(followers.end(), joining.begin(), joining.end());
  QIAO_ASSIGN(delivery.followers, bodies_of(followers));
  QIAO_ASSIGN(delivery.receipts, receipts_of(group, offset));
  changes.rest.emplace_back(record::Leased{now, spec.name, wish.consumer, offset, delivery.attempt,
                                           now + spec.lease_ms, delivery.lease});
  if (!joining.empty())
    changes.rest.emplace_back(record::Joined{now, spec.name, offset, std::move(joining)});
  deliveries.push_back(std::move(delivery));
  return {};
}

void Broker::Impl::nack(const LeaseRef& lease, const Failure& failure, const Done<void>& done) {
  if (Status held = check_lease(lease); !held) return done(std::move(held));
  if (failure.error.size() > kIdBytesMax || !valid_utf8(failure.error))
    return done(invalid_argument("the error's name is UTF-8 of at most 128 bytes"));
  const std::int64_t now = time_.now_ms();
  GroupState& group = *state_.group(lease.group);
  Failure shown = failure;
  shown.reason = cut_utf8(failure.reason, kReasonBytesMax);
  const record::Nacked nacked{now,
                              lease.group,
                              lease.offset,
                              retry_at(group, lease.offset, failure),
                              failure.counts,
                              shown.reason,
                              shown.error};
  const Status given = give_back(group, lease.offset, nacked, shown, done);
  if (!given) return done(given);
  nacked_count_.add();
  arm_timer(group);
  serve(lease.group);
}

// 0: at once. A consumer's own wish takes the place of the group's backoff.
std::int64_t Broker::Impl::retry_at(const GroupState& group, std::uint64_t offset,
                                    const Failure& failure) {
  std::int64_t delay_ms = std::min(failure.delay_ms, kLeaseMsMax);
  if (delay_ms <= 0 && failure.counts) {
    delay_ms = broker::backoff_ms(rule_of(group.spec(), failure.error).backoff,
                                  group.attempts(offset), offset);
  }
  return delay_ms > 0 ? time_.now_ms() + delay_ms : 0;
}

// `record` gives it back; after the last attempt it is given up instead.
Status Broker::Impl::give_back(GroupState& group, std::uint64_t offset, Record record,
                               const Failure& failure, Release release) {
  const auto attempts_max =
      static_cast<std::uint32_t>(rule_of(group.spec(), failure.error).attempts_max);
  Changes changes;
  if (failure.counts && group.attempts(offset) >= attempts_max) {
    QIAO_ASSIGN(changes, give_up(group, offset, failure));
    dead_count_.add(changes.publish.size());
  } else {
    changes.rest.push_back(std::move(record));
  }
  const auto appended = append(std::move(changes), std::move(release));
  return appended ? Status() : Status(appended.error());
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

// One timer for the soonest lease end or end of a rest of all groups. It may fire too early for
// what was acked meanwhile, and then finds nothing to do.
void Broker::Impl::arm_timer(const GroupState& group) {
  const auto lease_end = group.next_lease_end_ms();
  const auto rest_end = group.next_rest_end_ms();
  if (!lease_end && !rest_end) return;
  std::int64_t delay = INT64_MAX;
  if (lease_end) delay = *lease_end - now_ms();
  if (rest_end) delay = std::min(delay, *rest_end - time_.now_ms());
  delay = std::max(kTimerMsMin, delay);
  const std::int64_t at = now_ms() + delay;
  if (timer_ && timer_->second <= at) return;
  if (timer_) loop_.cancel(timer_->first);
  timer_.emplace(loop_.post_after(delay,
                                  [weak = weak_from_this()] {
                                    if (const auto self = weak.lock()) self->on_timer();
                                  }),
                 at);
}

void Broker::Impl::on_timer() {
  timer_.reset();
  if (failed_ || finished_) return;
  for (auto& [name, group] : state_.groups()) {
    expire(group);
    serve(name);
    arm_timer(group);
  }
}

void Broker::Impl::expire(GroupState& group) {
  const std::int64_t now = now_ms();
  const Failure failure{0, true, "the lease ran out", std::string(kExpiredError)};
  for (const std::uint64_t offset : group.run_out(now)) {
    const record::Expired expired{now, group.spec().name, offset, retry_at(group, offset, failure)};
    const Status given = give_back(group, offset, expired, failure, {});
    if (!given)  // tried again when the timer fires next
      return log_warn("broker", "a lease could not be ended: " + given.error().message);
    expired_count_.add();
  }
}

void Broker::Impl::parked(const std::string& group, const Done<std::vector<ParkedMessage>>& done) {
  const GroupState* state = state_.group(group);
  if (state == nullptr) return done(no_group(group));
  std::vector<ParkedMessage> out;
  for (GroupState::ParkedItem& item : state->parked(time_.now_ms())) {
    if (out.size() >= options_.read_limit_max) break;
    const Result<MessagePtr> message = body(item.offset);
    if (!message) return done(message.error());
    const std::int64_t until_ms = clock_.wall_ms() + item.until_ms - time_.now_ms();
    out.push_back({group, item.offset, until_ms, std::move(item.reason), **message});
  }
  done(std::move(out));
}

void Broker::Impl::groups(const Done<std::vector<GroupInfo>>& done) {
  std::vector<GroupInfo> out;
  const std::int64_t now = time_.now_ms();
  for (const auto& [name, group] : state_.groups()) {
    GroupInfo info{group.spec(),        group.waiting_count(),    group.leased_count(),
                   group.acked_count(), group.parked(now).size(), 0};
    if (const auto oldest = group.oldest()) {
      if (const auto message = body(*oldest)) info.oldest_waiting_ms = now - (*message)->time_ms;
    }
    out.push_back(std::move(info));
  }
  done(std::move(out));
}

}  // namespace qiao
