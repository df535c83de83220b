// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "broker/group_state.h"
#include "log/record.h"

namespace qiao {

// The broker's semantics as a deterministic state machine: the same records in the same order give
// the same state. No clock, no I/O, no thread; time is a field of the records.
//
// Owned by Broker; broker loop only. Holds what is needed to decide (16 bytes a kept message,
// unacked items of groups, the window of ids); bodies stay in the log.
class State {
 public:
  explicit State(std::size_t dedupe_ids_max) : dedupe_ids_max_(dedupe_ids_max) {}

  // Requires: offsets rise.
  void apply(std::uint64_t offset, const Record& record);

  // The offset under which `id` was published within the window.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(const std::string& id) const;
  [[nodiscard]] GroupState* group(std::string_view name);
  [[nodiscard]] std::map<std::string, GroupState, std::less<>>& groups() { return groups_; }
  [[nodiscard]] bool any_group_matches(std::string_view subject) const;

  // Up to `limit` offsets >= `from` of messages whose subject matches, ascending.
  [[nodiscard]] std::vector<std::uint64_t> find(std::string_view pattern, std::uint64_t from,
                                                std::size_t limit) const;
  struct Topic {
    std::uint64_t messages = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  [[nodiscard]] std::map<std::string, Topic> topics() const;

  // The state as bytes for a snapshot, and back. `corrupt` when the bytes are of no known form.
  [[nodiscard]] std::string save() const;
  Status restore(std::string_view bytes);

 private:
  struct Kept {
    std::uint64_t offset;
    std::uint32_t conversation;  // index into conversations_; 0 = none
  };

  void apply_published(std::uint64_t offset, const Message& message);
  void apply_group_created(std::uint64_t offset, const record::GroupCreated& created);
  std::uint32_t intern(const std::string& conversation);
  const std::vector<GroupState*>& groups_of(const std::string& subject);
  void remember(const std::string& id, std::uint64_t offset);

  std::size_t dedupe_ids_max_;
  std::map<std::string, std::deque<Kept>, std::less<>> topics_;
  std::map<std::string, GroupState, std::less<>> groups_;
  std::unordered_map<std::string, std::vector<GroupState*>> groups_of_subject_;  // cache
  std::unordered_map<std::string, std::uint32_t> conversation_ids_;
  std::unordered_map<std::string, std::uint64_t> offset_of_id_;
  std::deque<std::string> ids_;  // oldest first
};

// Subjects of private answers: stored, but in no topic list and no group.
inline constexpr std::string_view kInboxPrefix = "_inbox.";

}  // namespace qiao
