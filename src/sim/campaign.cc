// SPDX-License-Identifier: Apache-2.0
#include "sim/campaign.h"

#include <utility>

namespace qiao::sim {

void Campaign::add(SimResult result) {
  ++seeds;
  simulated_ms += result.simulated_ms;
  steps += result.steps;
  records += result.records;
  lives += result.lives;
  for (const auto& [name, count] : result.faults) faults[name] += count;
  violations += result.violations.size();
  if (result.violations.empty() || failed.size() >= kFailedMax) return;
  result.trace.clear();
  failed.push_back(std::move(result));
}

Campaign play_seeds(std::uint64_t first, std::uint64_t seeds,
                    const std::function<bool(const SimResult&)>& told) {
  Campaign campaign;
  for (std::uint64_t i = 0; i < seeds; ++i) {
    SimOptions options;
    options.seed = first + i;
    SimResult result = simulate(options);
    const bool go_on = told(result);
    campaign.add(std::move(result));
    if (!go_on) break;
  }
  return campaign;
}

Json to_json(const Campaign& campaign) {
  Json violations = Json::array();
  for (const SimResult& result : campaign.failed) {
    for (const Violation& violation : result.violations) {
      violations.push_back({{"seed", result.seed},
                            {"checker", violation.checker},
                            {"what", violation.what},
                            {"replay", replay_command(result.seed)}});
    }
  }
  return {{"seeds", campaign.seeds},
          {"simulated_s", static_cast<double>(campaign.simulated_ms) / 1e3},
          {"faults", campaign.faults},
          {"violations", std::move(violations)},
          {"violations_total", campaign.violations},
          {"events", campaign.steps},
          {"records", campaign.records},
          {"server_starts", campaign.lives}};
}

std::string replay_command(std::uint64_t seed) {
  return "qiao sim --seed " + std::to_string(seed) + " --trace trace.txt";
}

}  // namespace qiao::sim
