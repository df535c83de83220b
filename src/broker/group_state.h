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

#include "broker/offset_list.h"
#include "log/record.h"
#include "message/wire.h"

namespace qiao {

// What one consumer group has not acked yet. A message not yet looked at costs 16 bytes; one that
// was leased, rests until a retry or may be leased next is an Item. In an ordered group only the
// oldest message of a conversation (a lane) may be leased. Part of State; its thread rule holds.
class GroupState {
 public:
  struct Item {
    broker::LaneKey lane = 0;
    std::uint32_t attempt = 0;  // how often it was delivered (handed back ones not counted)
    std::int64_t until_ms = 0;  // of the lease; 0: not leased
    std::int64_t retry_at_ms = 0;
    std::string consumer;
  };

  static constexpr std::size_t kFreedMax = 1 << 16;  // lanes whose last ack is not durable yet

  explicit GroupState(GroupSpec spec) : spec_(std::move(spec)) {}

  [[nodiscard]] const GroupSpec& spec() const { return spec_; }
  // Requires: place.offset is above all added before.
  void add(broker::Place place);
  void lease(const record::Leased& leased);
  // `at`: offset of the record.
  void ack(std::uint64_t offset, std::uint64_t at);
  void give_back(std::uint64_t offset, std::int64_t retry_at_ms, bool counts);
  void extend(std::uint64_t offset, std::int64_t until_ms);

  // Up to `count` messages that may be leased at `now_ms`, oldest first. They, and what freed their
  // lanes, are below `durable`: else a crash would bring back the message before.
  std::vector<std::uint64_t> ready(std::int64_t now_ms, std::uint64_t durable, std::size_t count);
  // The item if it is leased now.
  [[nodiscard]] const Item* leased(std::uint64_t offset) const;
  [[nodiscard]] std::uint32_t attempts(std::uint64_t offset) const;
  // Leases that ended at or before `now_ms`.
  [[nodiscard]] std::vector<std::uint64_t> run_out(std::int64_t now_ms) const;
  [[nodiscard]] std::vector<std::uint64_t> leased_by(std::string_view consumer_prefix) const;
  // When something will happen by itself: a lease ends, a retry is due.
  [[nodiscard]] std::optional<std::int64_t> next_time_ms() const;

  [[nodiscard]] std::uint64_t leased_count() const { return leases_.size(); }
  [[nodiscard]] std::uint64_t waiting_count() const { return open_ - leases_.size(); }
  [[nodiscard]] std::uint64_t acked_count() const { return acked_; }
  [[nodiscard]] std::optional<std::uint64_t> oldest() const;

  // The same bytes for the same history, whatever was looked at.
  void save(std::string& out) const;
  bool restore(WireReader& in);

 private:
  // Messages of one conversation that were looked at.
  struct Lane {
    std::uint64_t head = 0;            // an Item
    std::deque<std::uint64_t> behind;  // blocked by it
  };

  // Lanes by the record of the ack that freed them last.
  struct Freed {
    std::unordered_map<broker::LaneKey, std::uint64_t> lanes;
    std::uint64_t newest = 0;
  };

  void note_freed(broker::LaneKey lane, std::uint64_t at);
  void forget_freed(std::uint64_t durable);
  [[nodiscard]] bool waits_for_ack(std::uint64_t offset, std::uint64_t durable) const;
  void look_up_to(std::uint64_t offset);
  void look_at(broker::Place place);
  void make_ready(std::uint64_t offset, const Item& item);
  Item* find(std::uint64_t offset);
  void leave_lane(std::uint64_t offset, broker::LaneKey lane, std::uint64_t at);
  [[nodiscard]] bool has_lane(const Item& item) const { return spec_.ordered && item.lane != 0; }

  GroupSpec spec_;
  std::deque<broker::Place> unseen_;  // not looked at, oldest first; above everything below
  std::map<std::uint64_t, Item> items_;
  std::set<std::uint64_t> ready_;
  std::set<std::pair<std::int64_t, std::uint64_t>> resting_;  // retry time, offset
  std::set<std::pair<std::int64_t, std::uint64_t>> leases_;   // end, offset
  std::unordered_map<broker::LaneKey, Lane> lanes_;
  Freed freed_;             // since freed_before_ was filled
  Freed freed_before_;      // goes as a whole when all of it is durable
  std::uint64_t open_ = 0;  // not acked
  std::uint64_t acked_ = 0;
};

}  // namespace qiao
