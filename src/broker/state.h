// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "broker/budget_ledger.h"
#include "broker/dedupe_window.h"
#include "broker/group_state.h"
#include "broker/key_index.h"
#include "broker/offset_list.h"
#include "broker/stream_index.h"
#include "broker/subject_tree.h"
#include "broker/topic_specs.h"
#include "log/record.h"

namespace qiao {

// Subjects of private answers: stored, but in no topic list and no group.
inline constexpr std::string_view kInboxPrefix = "_inbox.";

// The broker's semantics as a deterministic state machine: the same records in the same order give
// the same state. No clock, no I/O, no thread; time is a field of the records.
//
// Owned by Broker; broker loop only. Holds what is needed to decide: a kept message costs 4 to 23
// bytes, one that waits in a group 16, an id of the window 24; bodies stay in the log.
class State {
 public:
  // `seed` scatters the hash table of ids; it changes no answer.
  explicit State(std::size_t dedupe_ids_max, std::uint64_t seed = 0)
      : dedupe_(dedupe_ids_max, seed) {}
  State(State&&) = delete;  // the tree points into groups_

  // Requires: offsets rise.
  void apply(std::uint64_t offset, const Record& record);
  void apply_published(std::uint64_t offset, const Message& message);

  // Of the newest change of a lease: what decides about leases is never earlier.
  [[nodiscard]] std::int64_t time_ms() const { return time_ms_; }

  // Where a message with this id may be: published within the window, if its id is the same.
  [[nodiscard]] std::optional<std::uint64_t> offset_hint(std::string_view id) const;
  [[nodiscard]] GroupState* group(std::string_view name);
  [[nodiscard]] std::map<std::string, GroupState, std::less<>>& groups() { return groups_; }
  [[nodiscard]] bool any_group_matches(std::string_view subject) const;
  template <class Visit>  // void(GroupState&)
  void for_groups_of(std::string_view subject, const Visit& visit) {
    group_tree_.match(subject, [&visit](GroupState* group) { visit(*group); });
  }

  // The last kept message of a conversation in a topic. `unsupported` when the topic has more than
  // kLanesMax conversations. The first call for a topic walks its list, which makes an index.
  static constexpr std::size_t kLanesMax = 1 << 21;
  [[nodiscard]] Result<std::optional<std::uint64_t>> last_of(std::string_view subject,
                                                             broker::LaneKey lane);

  // Up to `limit` offsets >= `from` of messages whose subject matches, ascending.
  [[nodiscard]] std::vector<std::uint64_t> find(std::string_view pattern, std::uint64_t from,
                                                std::size_t limit) const;
  [[nodiscard]] const std::map<std::string, broker::OffsetList, std::less<>>& topics() const {
    return topics_;
  }

  // What messages have left for what they cause.
  [[nodiscard]] const broker::BudgetLedger& budgets() const { return budgets_; }
  [[nodiscard]] const broker::TopicSpecs& topic_specs() const { return specs_; }
  // Of a topic that is compacted; null: it is not.
  [[nodiscard]] const broker::KeyIndex* keys_of(std::string_view subject) const;

  [[nodiscard]] const StreamIndex& streams() const { return streams_; }

  // The latest time of a record.
  [[nodiscard]] std::int64_t last_ms() const { return last_ms_; }
  // Whether the message is kept: it was published and not removed.
  [[nodiscard]] bool keeps(std::string_view subject, std::uint64_t offset) const;

  // The oldest record that is still needed: of a kept message, an open one, a stream. `next`: none.
  [[nodiscard]] std::uint64_t first_needed(std::uint64_t next) const;

  // The state as bytes for a snapshot, and back into an empty state; also those of the
  // two versions before. `corrupt` when they are of no known form; the state is of no use then.
  [[nodiscard]] std::string save() const;
  Status restore(std::string_view bytes);

 private:
  void apply_group_created(std::uint64_t offset, const record::GroupCreated& created);
  void delete_group(const std::string& name);
  void apply_removed(std::uint64_t offset, const record::Removed& removed);
  void apply_topic_set(const record::TopicSet& set);
  void index_keys();
  void forget_keys(std::string_view subject, const broker::OffsetList& list,
                   const std::vector<std::uint64_t>& offsets);
  [[nodiscard]] std::vector<broker::Place> backlog(std::string_view pattern, std::uint64_t from,
                                                   std::uint64_t end) const;

  std::map<std::string, broker::OffsetList, std::less<>> topics_;
  broker::TopicSpecs specs_;
  std::map<std::string, broker::KeyIndex, std::less<>> keys_;  // of topics that are compacted
  // Of topics that were asked for it: made of their lists, in no snapshot. A removed message may
  // still stand here until it is met.
  using LastOfLane = std::unordered_map<broker::LaneKey, std::uint64_t>;
  std::map<std::string, LastOfLane, std::less<>> last_;
  std::map<std::string, GroupState, std::less<>> groups_;
  broker::SubjectTree<GroupState*> group_tree_;
  broker::DedupeWindow dedupe_;
  broker::BudgetLedger budgets_;
  // Of kept messages with a priority or a delay: for groups that begin with them.
  std::map<std::uint64_t, broker::Facts> facts_;
  std::int64_t time_ms_ = 0;
  std::int64_t last_ms_ = 0;
  StreamIndex streams_;
};

}  // namespace qiao
