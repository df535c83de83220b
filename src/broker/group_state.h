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

#include "broker/facts.h"
#include "broker/offset_list.h"
#include "broker/ready_queue.h"
#include "broker/receipt_index.h"
#include "log/record.h"
#include "message/wire.h"

namespace qiao {

// What one consumer group has not acked yet. A message not yet looked at costs 16 bytes; one that
// was leased, rests until a time or may be leased next is an Item; what is not as usual (priority,
// delay, deadline, followers, a reason to be parked) costs where it is present. In an ordered group
// only the oldest message of a conversation (a lane) may be leased. Part of State; its thread rule
// holds.
class GroupState {
 public:
  // Waiting messages that are looked at to find those of high priority and followers.
  static constexpr std::size_t kLookAheadMax = 1 << 16;
  // Of save(): version 2 had no facts, no followers and nothing parked; 3 no receipts and no names
  // of leases.
  static constexpr std::uint64_t kForm = 4;

  struct Item {
    broker::LaneKey lane = 0;
    std::uint32_t attempt = 0;     // how often it was delivered (handed back ones not counted)
    std::int64_t until_ms = 0;     // of the lease; 0: not leased
    std::uint64_t lease = 0;       // its name; 0: not leased, or by a version before names
    std::int64_t retry_at_ms = 0;  // rests until then: a retry, a park, a delay; 0: does not rest
    std::string consumer;
  };
  struct ParkedItem {
    std::uint64_t offset = 0;
    std::int64_t until_ms = 0;
    std::string reason;
  };

  static constexpr std::size_t kFreedMax = 1 << 16;  // lanes whose last ack is not durable yet

  explicit GroupState(GroupSpec spec) : spec_(std::move(spec)) {}

  [[nodiscard]] const GroupSpec& spec() const { return spec_; }
  // Ignored when another pattern or order is meant: its messages are what they are.
  void configure(const GroupSpec& spec) {
    if (spec.pattern == spec_.pattern && spec.ordered == spec_.ordered) spec_ = spec;
  }
  // Requires: place.offset is above all added before.
  void add(broker::Place place, const broker::Facts& facts = {});
  void lease(const record::Leased& leased);
  // With its followers. `at`: offset of the record.
  void ack(std::uint64_t offset, std::uint64_t at);
  void give_back(std::uint64_t offset, std::int64_t retry_at_ms, bool counts);
  void extend(std::uint64_t offset, std::int64_t until_ms);
  // The lease ends and eats no attempt; the message rests, with its lane.
  void park(std::uint64_t offset, std::int64_t until_ms, const std::string& reason);
  void wake(std::uint64_t offset);
  // Those behind `offset` in its lane become its followers: they share its fate.
  void join(std::uint64_t offset, const std::vector<std::uint64_t>& followers);
  // Kept until the message is acked. `at`: offset of the record.
  void receipt(const record::Receipt& receipt, std::uint64_t at);
  // Lets go of those of `offsets` (rising) that are not leased; they do not count as acked.
  // `at`: offset of the record.
  void remove(const std::vector<std::uint64_t>& offsets, std::uint64_t at);

  // Up to `count` messages that may be leased at `now_ms`, in order of broker::ReadyQueue. They,
  // what freed their lanes and their receipts are below `durable`: else a crash would bring back
  // the message before, or take back a receipt that was seen.
  std::vector<std::uint64_t> ready(std::int64_t now_ms, std::uint64_t durable, std::size_t count);
  // Those that may join the lease of `offset` now, oldest first; all behind a delayed one wait.
  std::vector<std::uint64_t> joinable(std::uint64_t offset, std::int64_t now_ms,
                                      std::uint64_t durable);
  [[nodiscard]] const std::vector<std::uint64_t>& followers(std::uint64_t offset) const;
  [[nodiscard]] const broker::ReceiptIndex& receipts() const { return receipts_; }
  // Whether a message of the lane is open.
  [[nodiscard]] bool busy(broker::LaneKey lane);
  // The lane's leased message.
  [[nodiscard]] std::optional<std::uint64_t> leased_of(broker::LaneKey lane) const;
  // Whether it is open: not acked, given up or removed.
  [[nodiscard]] bool holds(broker::Place place) const;
  // The item if it is leased now.
  [[nodiscard]] const Item* leased(std::uint64_t offset) const;
  [[nodiscard]] std::uint32_t attempts(std::uint64_t offset) const;
  // Leases that ended at or before `now_ms`.
  [[nodiscard]] std::vector<std::uint64_t> run_out(std::int64_t now_ms) const;
  [[nodiscard]] std::vector<std::uint64_t> leased_by(std::string_view consumer_prefix) const;
  // Those that rest because they were parked, oldest first.
  [[nodiscard]] std::vector<ParkedItem> parked(std::int64_t now_ms) const;
  [[nodiscard]] bool is_parked(std::uint64_t offset, std::int64_t now_ms) const;
  // When something will happen by itself.
  [[nodiscard]] std::optional<std::int64_t> next_lease_end_ms() const;
  [[nodiscard]] std::optional<std::int64_t> next_rest_end_ms() const;

  // Followers are counted with the message they follow.
  [[nodiscard]] std::uint64_t leased_count() const { return leases_.size() + leased_followers_; }
  [[nodiscard]] std::uint64_t waiting_count() const { return open_ - leased_count(); }
  [[nodiscard]] std::uint64_t open_count() const { return open_; }
  [[nodiscard]] std::uint64_t acked_count() const { return acked_; }
  [[nodiscard]] std::optional<std::uint64_t> oldest() const;

  // The same bytes for the same history, whatever was looked at.
  void save(std::string& out) const;
  bool restore(WireReader& in, std::uint64_t form = kForm);

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
  void look_ahead(std::uint64_t durable);
  void look_at(broker::Place place);
  void rouse(std::int64_t now_ms);
  void make_item(broker::Place place);
  void make_ready(std::uint64_t offset, const Item& item);
  void unlist(std::uint64_t offset, const Item& item);
  void end_lease(std::uint64_t offset, Item& item, std::int64_t rest_until_ms, bool counts);
  void forget(std::uint64_t offset, std::uint64_t at);
  void remove_unseen(const std::vector<std::uint64_t>& offsets, std::uint64_t at);
  void remove_blocked(const std::vector<std::uint64_t>& offsets);
  Item* find(std::uint64_t offset);
  void leave_lane(std::uint64_t offset, broker::LaneKey lane, std::uint64_t at);
  [[nodiscard]] bool has_lane(const Item& item) const { return spec_.ordered && item.lane != 0; }
  [[nodiscard]] broker::Facts facts(std::uint64_t offset) const;
  [[nodiscard]] bool untouched(std::uint64_t offset, const Item& item) const;
  void save_item(std::string& out, std::uint64_t offset, const Item& item) const;
  void restore_item(WireReader& in, std::uint64_t form);

  GroupSpec spec_;
  std::deque<broker::Place> unseen_;  // not looked at, oldest first; above everything below
  std::map<std::uint64_t, Item> items_;
  broker::ReadyQueue ready_;
  std::set<std::pair<std::int64_t, std::uint64_t>> resting_;  // until, offset
  std::set<std::pair<std::int64_t, std::uint64_t>> leases_;   // end, offset
  std::unordered_map<broker::LaneKey, Lane> lanes_;
  Freed freed_;                                   // since freed_before_ was filled
  Freed freed_before_;                            // goes as a whole when all of it is durable
  std::map<std::uint64_t, broker::Facts> facts_;  // of open messages that are not as usual
  std::map<std::uint64_t, std::vector<std::uint64_t>> followers_;  // by whom they follow
  std::map<std::uint64_t, std::string> parked_;                    // reasons
  broker::ReceiptIndex receipts_;
  std::uint64_t leased_followers_ = 0;
  std::uint64_t open_ = 0;  // not acked
  std::uint64_t acked_ = 0;
};

}  // namespace qiao
