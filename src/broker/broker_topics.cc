// SPDX-License-Identifier: Apache-2.0
// How topics are kept: settings, and the timer that removes what is kept too long.
#include <algorithm>

#include "base/logging.h"
#include "broker/broker_impl.h"
#include "broker/retention.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::int64_t kRetainMsMax = 100LL * 366 * 24 * 3'600 * 1'000;
constexpr std::int64_t kKeepRestMsMax = 24LL * 3'600 * 1'000;  // of a timer
constexpr std::int64_t kKeepAgainMs = 1;                       // one look was not enough

Status check_spec(const TopicSpec& spec) {
  QIAO_TRY(validate_pattern(spec.pattern));
  if (spec.retain_ms < 0 || spec.retain_ms > kRetainMsMax)
    return invalid_argument("retain_ms is from 0 (no bound) to a hundred years");
  return {};
}

}  // namespace

void Broker::Impl::set_topic(TopicSpec spec, const Done<void>& done) {
  if (Status checked = check_spec(spec); !checked) return done(std::move(checked));
  const auto& specs = state_.topic_specs().all();
  const auto known = specs.find(spec.pattern);
  if (known != specs.end() && known->second == spec) return when_durable(done);
  if (known == specs.end() && specs.size() >= broker::TopicSpecs::kPatternsMax) {
    return done(Error{Code::kPrecondition,
                      "topics have settings for 1000 patterns, which is the most: remove some"});
  }
  const auto appended = append({{}, {record::TopicSet{time_.now_ms(), std::move(spec)}}}, done);
  if (!appended) done(appended.error());
}

void Broker::Impl::erase_topic_settings(const std::string& pattern, const Done<void>& done) {
  if (!state_.topic_specs().all().contains(pattern))
    return done(not_found("'" + pattern + "' has no settings of its own"));
  record::TopicSet erased{time_.now_ms(), {}, true};
  erased.spec.pattern = pattern;
  const auto appended = append({{}, {std::move(erased)}}, done);
  if (!appended) done(appended.error());
}

void Broker::Impl::topic_settings(const Done<std::vector<TopicSpec>>& done) {
  std::vector<TopicSpec> out;
  for (const auto& [pattern, spec] : state_.topic_specs().all()) out.push_back(spec);
  done(std::move(out));
}

void Broker::Impl::settings_of(const std::string& pattern, const Done<TopicSpec>& done) {
  if (const Status valid = validate_pattern(pattern); !valid) return done(valid.error());
  const auto& specs = state_.topic_specs();
  if (const auto own = specs.all().find(pattern); own != specs.all().end())
    return done(own->second);
  const TopicSpec* holds = is_pattern(pattern) ? nullptr : specs.find(pattern);
  if (holds == nullptr)
    return done(not_found("'" + pattern + "' has no settings: its messages are kept for ever"));
  done(*holds);
}

// A timer that fires earlier stays.
void Broker::Impl::arm_keep(std::int64_t delay_ms) {
  const std::int64_t at = now_ms() + delay_ms;
  if (keep_timer_ && keep_timer_->second <= at) return;
  if (keep_timer_) loop_.cancel(keep_timer_->first);
  keep_timer_.emplace(loop_.post_after(delay_ms,
                                       [weak = weak_from_this()] {
                                         if (const auto self = weak.lock()) self->keep();
                                       }),
                      at);
}

// Looks at the topics in turn, as far as the limits go, and goes on there the next time. What goes
// is told by records: nobody waits for them.
void Broker::Impl::keep() {
  keep_timer_.reset();
  if (failed_ || finished_) return;
  const std::int64_t now = time_.now_ms();
  broker::RetentionLimits limits;
  Changes changes;
  std::int64_t next_ms = INT64_MAX;
  bool again = false;
  const auto& topics = state_.topics();
  auto topic = topics.lower_bound(keep_from_);
  for (std::size_t left = topics.size(); left > 0; --left, ++topic) {
    if (topic == topics.end()) topic = topics.begin();
    const TopicSpec* spec = state_.topic_specs().find(topic->first);
    if (spec == nullptr) continue;
    broker::Overdue overdue = broker::find_overdue(state_, topic->first, *spec, now, limits);
    limits.looked_max -= std::min(limits.looked_max, overdue.looked);
    next_ms = std::min(next_ms, overdue.next_ms.value_or(INT64_MAX));
    for (record::Removed& removed : overdue.removed) {
      limits.removed_max -= std::min(limits.removed_max, removed.offsets.size());
      removed_count_.add(removed.offsets.size());
      changes.rest.emplace_back(std::move(removed));
    }
    again = overdue.more;
    if (again) break;
  }
  keep_from_ = again ? topic->first : "";
  const bool removed = !changes.rest.empty();
  if (removed) {
    if (const auto appended = append(std::move(changes), {}); !appended)
      log_warn("broker", "what is kept too long stays: " + appended.error().message);
  }
  if (again) return arm_keep(removed ? kKeepAgainMs : kKeepEveryMs);
  if (next_ms != INT64_MAX) arm_keep(std::clamp(next_ms - now, kKeepEveryMs, kKeepRestMsMax));
}

}  // namespace qiao
