// SPDX-License-Identifier: Apache-2.0
// Plays seeds of the deterministic simulation: sim_runner FIRST COUNT, sim_runner --kept FILE
// (one seed a line, then the reason), or sim_runner --trace SEED. Prints the figures; the exit
// status tells of violations. A seed that a third argument, a file like FILE, names as open must
// break a promise: the fault is known and not mended yet, or the seed belongs among the kept ones.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "base/logging.h"
#include "sim/campaign.h"

namespace {

using qiao::sim::Campaign;

bool tell(const qiao::sim::SimResult& result) {
  for (const auto& violation : result.violations) {
    std::printf("seed %llu: %s: %s\n  replay: %s\n", static_cast<unsigned long long>(result.seed),
                violation.checker.c_str(), violation.what.c_str(),
                qiao::sim::replay_command(result.seed).c_str());
  }
  return true;
}

std::set<std::uint64_t> seeds_of(const char* path) {
  std::set<std::uint64_t> seeds;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.front() != '#')
      seeds.insert(std::strtoull(line.c_str(), nullptr, 10));
  }
  return seeds;
}

// Whether the seeds that failed are just those of `open` that were played.
bool as_known(const Campaign& campaign, std::uint64_t first, const std::set<std::uint64_t>& open) {
  std::set<std::uint64_t> failed;
  for (const auto& result : campaign.failed) failed.insert(result.seed);
  bool known = campaign.failed.size() < Campaign::kFailedMax;
  for (const std::uint64_t seed : failed) known = known && open.contains(seed);
  for (const std::uint64_t seed : open) {
    if (seed < first || seed >= first + campaign.seeds || failed.contains(seed)) continue;
    std::printf("seed %llu is open and breaks nothing any more: keep it in seeds.txt\n",
                static_cast<unsigned long long>(seed));
    known = false;
  }
  return known;
}

Campaign play_kept(const char* path) {
  Campaign campaign;
  for (const std::uint64_t seed : seeds_of(path)) {
    qiao::sim::SimOptions options;
    options.seed = seed;
    auto result = qiao::sim::simulate(options);
    tell(result);
    campaign.add(std::move(result));
  }
  return campaign;
}

int print_trace(const char* seed) {
  qiao::sim::SimOptions options;
  options.seed = std::strtoull(seed, nullptr, 10);
  options.keep_trace = true;
  const auto result = qiao::sim::simulate(options);
  std::fputs(result.trace.c_str(), stdout);
  return result.violations.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fputs("usage: sim_runner FIRST COUNT [OPEN] | --kept FILE | --trace SEED\n", stderr);
    return 2;
  }
  qiao::set_log_level(qiao::LogLevel::kOff);
  if (std::strcmp(argv[1], "--trace") == 0) return print_trace(argv[2]);
  const bool kept = std::strcmp(argv[1], "--kept") == 0;
  const Campaign campaign = kept ? play_kept(argv[2])
                                 : qiao::sim::play_seeds(std::strtoull(argv[1], nullptr, 10),
                                                         std::strtoull(argv[2], nullptr, 10), tell);
  std::uint64_t faults = 0;
  for (const auto& [name, count] : campaign.faults) faults += count;
  std::printf(
      "%llu seeds, %.1f simulated hours, %llu faults, %llu server starts, %llu violations\n",
      static_cast<unsigned long long>(campaign.seeds),
      static_cast<double>(campaign.simulated_ms) / 3.6e6, static_cast<unsigned long long>(faults),
      static_cast<unsigned long long>(campaign.lives),
      static_cast<unsigned long long>(campaign.violations));
  std::printf("%s\n", qiao::dump_json(qiao::Json(campaign.faults)).c_str());
  if (campaign.seeds == 0) return 1;
  if (argc == 4) {
    const auto first = std::strtoull(argv[1], nullptr, 10);
    return as_known(campaign, first, seeds_of(argv[3])) ? 0 : 1;
  }
  return campaign.violations == 0 ? 0 : 1;
}
