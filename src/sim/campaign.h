// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "sim/simulation.h"

namespace qiao::sim {

// Figures of many seeds together.
struct Campaign {
  std::uint64_t seeds = 0;
  std::int64_t simulated_ms = 0;
  std::uint64_t steps = 0;
  std::uint64_t records = 0;
  std::uint64_t lives = 0;
  FaultCounts faults;
  std::vector<SimResult> failed;  // without traces; at most kFailedMax, `violations` counts all
  std::uint64_t violations = 0;

  static constexpr std::size_t kFailedMax = 100;
  void add(SimResult result);
};

// Plays `seeds` seeds from `first` on, one after the other; `told` hears of each (false: stop).
Campaign play_seeds(std::uint64_t first, std::uint64_t seeds,
                    const std::function<bool(const SimResult&)>& told);

// {"seeds","simulated_s","faults":{name:
// count},"violations":[{"seed","checker","what","replay"}],…}
Json to_json(const Campaign& campaign);
// The command that plays a seed again.
std::string replay_command(std::uint64_t seed);

}  // namespace qiao::sim
