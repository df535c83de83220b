// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <tuple>
#include <vector>

#include "broker/facts.h"

namespace qiao::broker {

// Messages of a group that may be leased, in the order they should be: higher priority first, then
// the earlier deadline, then the older. Ageing: when the oldest has been passed over kPassedOverMax
// times in a row, it is next, so that the n-th oldest waits for at most n * kPassedOverMax leases.
// A message as usual costs one node, another one two more. Part of GroupState.
class ReadyQueue {
 public:
  static constexpr std::uint32_t kPassedOverMax = 16;

  // Requires: the facts of an offset are the same in insert() and erase().
  void insert(std::uint64_t offset, const Facts& facts);
  void erase(std::uint64_t offset, const Facts& facts);
  // The next `count` below `durable` that `waits` says no of, as if each were leased in turn.
  using Waits = std::function<bool(std::uint64_t offset)>;
  [[nodiscard]] std::vector<std::uint64_t> pick(std::uint64_t durable, std::size_t count,
                                                const Waits& waits) const;
  // `offset` is leased: counts how often the oldest was passed over. Call before erase().
  void leased(std::uint64_t offset);
  [[nodiscard]] std::size_t size() const { return plain_.size() + ranked_.size(); }

 private:
  // The smaller comes first.
  using Rank = std::tuple<int, std::int64_t, std::uint64_t>;
  static Rank rank_of(std::uint64_t offset, const Facts& facts);
  [[nodiscard]] std::vector<std::uint64_t> pick_ranked(std::uint64_t durable, std::size_t count,
                                                       const Waits& waits) const;

  std::set<std::uint64_t> plain_;   // as usual
  std::set<Rank> ranked_;           // the others
  std::set<std::uint64_t> by_age_;  // the same as ranked_
  std::uint32_t passed_over_ = 0;
};

}  // namespace qiao::broker
