// SPDX-License-Identifier: Apache-2.0
#include "broker/retention.h"

#include <algorithm>
#include <string>

namespace qiao::broker {
namespace {

// One look at one topic.
class Look {
 public:
  Look(State& state, std::string_view subject, const TopicSpec& spec, RetentionLimits limits)
      : list_(state.topics().find(subject)->second),
        keys_(state.keys_of(subject)),
        subject_(subject),
        spec_(spec),
        limits_(limits) {
    if (!spec.drop_unacked)
      state.for_groups_of(subject, [this](GroupState& group) { groups_.push_back(&group); });
  }

  // From the oldest on: those over a bound. The first that is over none ends it.
  void past_bounds(std::int64_t now_ms) {
    record::Removed gone{now_ms, {}, "retention", std::string(subject_)};
    std::uint64_t count = list_.count();
    std::uint64_t bytes = list_.bytes();
    for (OffsetList::Cursor at(list_, 0); !at.at_end() && has_room(gone); at.next()) {
      const Listed& listed = at.listed();
      const bool many = spec_.retain_messages != 0 && count > spec_.retain_messages;
      const bool large = spec_.retain_bytes != 0 && bytes > spec_.retain_bytes;
      const bool old = spec_.retain_ms != 0 && listed.time_ms + spec_.retain_ms <= now_ms;
      if (!many && !large && !old) {
        if (spec_.retain_ms != 0) out.next_ms = listed.time_ms + spec_.retain_ms;
        break;
      }
      if (!is_held(listed.place)) gone.offsets.push_back(listed.place.offset);
      --count;
      bytes -= listed.bytes;
    }
    if (!gone.offsets.empty()) out.removed.push_back(std::move(gone));
  }

  void replaced(std::int64_t now_ms) {
    if (keys_ == nullptr) return;
    record::Removed gone{now_ms, {}, "compaction", std::string(subject_)};
    const std::vector<std::uint64_t> before =
        out.removed.empty() ? std::vector<std::uint64_t>{} : out.removed.front().offsets;
    for (const std::uint64_t offset : keys_->replaced()) {
      if (!has_room(gone)) break;
      if (std::binary_search(before.begin(), before.end(), offset)) continue;
      const OffsetList::Cursor at(list_, offset);
      if (!is_held(at.place())) gone.offsets.push_back(offset);
    }
    if (!gone.offsets.empty()) out.removed.push_back(std::move(gone));
  }

  Overdue out;

 private:
  bool has_room(const record::Removed& gone) {
    out.more =
        out.more || out.looked >= limits_.looked_max || gone.offsets.size() >= limits_.removed_max;
    return !out.more;
  }

  bool is_held(Place place) {
    ++out.looked;
    return std::any_of(groups_.begin(), groups_.end(),
                       [place](const GroupState* group) { return group->holds(place); });
  }

  const OffsetList& list_;
  const KeyIndex* keys_;
  const std::string_view subject_;
  const TopicSpec& spec_;
  const RetentionLimits limits_;
  std::vector<const GroupState*> groups_;  // whose open messages stay
};

}  // namespace

Overdue find_overdue(State& state, std::string_view subject, const TopicSpec& spec,
                     std::int64_t now_ms, RetentionLimits limits) {
  Look look(state, subject, spec, limits);
  look.past_bounds(now_ms);
  look.replaced(now_ms);
  return std::move(look.out);
}

}  // namespace qiao::broker
