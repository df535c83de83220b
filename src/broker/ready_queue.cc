// SPDX-License-Identifier: Apache-2.0
#include "broker/ready_queue.h"

#include <algorithm>
#include <limits>

namespace qiao::broker {

ReadyQueue::Rank ReadyQueue::rank_of(std::uint64_t offset, const Facts& facts) {
  const std::int64_t deadline =
      facts.deadline_ms != 0 ? facts.deadline_ms : std::numeric_limits<std::int64_t>::max();
  return {-static_cast<int>(facts.priority), deadline, offset};
}

void ReadyQueue::insert(std::uint64_t offset, const Facts& facts) {
  const Rank rank = rank_of(offset, facts);
  if (rank == rank_of(offset, {})) {
    plain_.insert(offset);
    return;
  }
  ranked_.insert(rank);
  by_age_.insert(offset);
}

void ReadyQueue::erase(std::uint64_t offset, const Facts& facts) {
  if (plain_.erase(offset) > 0) return;
  ranked_.erase(rank_of(offset, facts));
  by_age_.erase(offset);
}

void ReadyQueue::leased(std::uint64_t offset) {
  const bool passes_plain = !plain_.empty() && *plain_.begin() < offset;
  const bool passes_ranked = !by_age_.empty() && *by_age_.begin() < offset;
  passed_over_ = passes_plain || passes_ranked ? passed_over_ + 1 : 0;
}

std::vector<std::uint64_t> ReadyQueue::pick(std::uint64_t durable, std::size_t count,
                                            const Waits& waits) const {
  if (!ranked_.empty()) return pick_ranked(durable, count, waits);
  std::vector<std::uint64_t> picked;
  for (auto at = plain_.begin(); at != plain_.end() && *at < durable && picked.size() < count;
       ++at) {
    if (!waits(*at)) picked.push_back(*at);
  }
  return picked;
}

std::vector<std::uint64_t> ReadyQueue::pick_ranked(std::uint64_t durable, std::size_t count,
                                                   const Waits& waits) const {
  constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::uint64_t> picked;
  auto plain = plain_.begin();
  auto ranked = ranked_.begin();
  auto aged = by_age_.begin();
  std::uint32_t passed_over = passed_over_;
  const auto taken = [&](std::uint64_t offset) {
    return std::find(picked.begin(), picked.end(), offset) != picked.end() || waits(offset);
  };
  while (picked.size() < count) {
    while (plain != plain_.end() && taken(*plain)) ++plain;
    while (ranked != ranked_.end() &&
           (std::get<2>(*ranked) >= durable || taken(std::get<2>(*ranked))))
      ++ranked;
    while (aged != by_age_.end() && taken(*aged)) ++aged;
    const std::uint64_t next_plain = plain != plain_.end() && *plain < durable ? *plain : kNone;
    const std::uint64_t oldest =
        std::min(next_plain, aged != by_age_.end() && *aged < durable ? *aged : kNone);
    if (oldest == kNone) break;
    const bool plain_first =
        ranked == ranked_.end() || (next_plain != kNone && rank_of(next_plain, {}) < *ranked);
    const std::uint64_t best = plain_first ? next_plain : std::get<2>(*ranked);
    const std::uint64_t chosen = passed_over >= kPassedOverMax ? oldest : best;
    passed_over = chosen == oldest ? 0 : passed_over + 1;
    picked.push_back(chosen);
  }
  return picked;
}

}  // namespace qiao::broker
