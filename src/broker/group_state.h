// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "log/record.h"
#include "message/wire.h"

namespace qiao {

// What one consumer group has not acked yet: items that wait, are leased, or rest until a retry.
// In an ordered group only the oldest item of a conversation may be leased. Part of State.
class GroupState {
 public:
  struct Item {
    std::uint32_t conversation = 0;
    std::uint32_t attempt = 0;  // how often it was delivered (handed back ones not counted)
    std::int64_t until_ms = 0;  // of the lease; 0: not leased
    std::int64_t retry_at_ms = 0;
    std::string consumer;
  };

  explicit GroupState(GroupSpec spec) : spec_(std::move(spec)) {}

  [[nodiscard]] const GroupSpec& spec() const { return spec_; }
  void add(std::uint64_t offset, std::uint32_t conversation);
  void lease(const record::Leased& leased);
  void ack(std::uint64_t offset);
  void give_back(std::uint64_t offset, std::int64_t retry_at_ms, bool counts);
  void extend(std::uint64_t offset, std::int64_t until_ms);

  // The oldest item below `durable` that may be leased at `now_ms`.
  std::optional<std::uint64_t> next(std::int64_t now_ms, std::uint64_t durable);
  // The item if it is leased now.
  [[nodiscard]] const Item* leased(std::uint64_t offset) const;
  [[nodiscard]] const Item* item(std::uint64_t offset) const;
  // Leases that ended at or before `now_ms`.
  [[nodiscard]] std::vector<std::uint64_t> run_out(std::int64_t now_ms) const;
  [[nodiscard]] std::vector<std::uint64_t> leased_by(std::string_view consumer_prefix) const;
  // When something will happen by itself: a lease ends, a retry is due.
  [[nodiscard]] std::optional<std::int64_t> next_time_ms() const;

  [[nodiscard]] std::size_t leased_count() const { return leases_.size(); }
  [[nodiscard]] std::size_t waiting_count() const { return items_.size() - leases_.size(); }
  [[nodiscard]] std::uint64_t acked_count() const { return acked_; }
  [[nodiscard]] std::optional<std::uint64_t> oldest() const;

  void save(std::string& out) const;
  bool restore(WireReader& in);

 private:
  void make_ready(std::uint64_t offset, Item& item);
  [[nodiscard]] bool first_in_lane(std::uint64_t offset, const Item& item) const;

  GroupSpec spec_;
  std::map<std::uint64_t, Item> items_;
  std::set<std::uint64_t> ready_;
  std::set<std::pair<std::int64_t, std::uint64_t>> resting_;  // retry time, offset
  std::set<std::pair<std::int64_t, std::uint64_t>> leases_;   // end, offset
  std::unordered_map<std::uint32_t, std::deque<std::uint64_t>>
      lanes_;  // by conversation, oldest first
  std::uint64_t acked_ = 0;
};

}  // namespace qiao
