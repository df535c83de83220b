// SPDX-License-Identifier: Apache-2.0
#include "sim/fault_plan.h"

namespace qiao::sim {
namespace {

struct Kind {
  std::string_view name;
  double chance = 0;  // at each place where it may strike
};

// In the order of Fault.
constexpr std::array<Kind, kFaultKinds> kKinds{{
    {"crash_lost", 0.04},
    {"crash_torn", 0.04},
    {"crash_kept", 0.04},
    {"crash_in_write", 0.004},
    {"stop", 0.04},
    {"disk_write_error", 0.006},
    {"disk_sync_error", 0.006},
    {"disk_full", 0.05},
    {"disk_slow", 0.05},
    {"call_lost", 0.05},
    {"call_doubled", 0.05},
    {"call_late", 0.05},
    {"answer_lost", 0.05},
    {"stream_cut", 0.04},
    {"consumer_vanished", 0.06},
    {"model_failed", 0.15},
    {"model_endless", 0.06},
    {"model_lied", 0.15},
    {"tool_failed", 0.15},
    {"tool_answer_lost", 0.20},
    {"clock_forward", 0.04},
    {"clock_back", 0.04},
}};
constexpr double kShare = 0.5;  // of the kinds in one run

}  // namespace

std::string_view name_of(Fault fault) {
  return kKinds[static_cast<std::size_t>(fault)].name;
}

FaultPlan::FaultPlan(std::uint64_t seed) : rng_(seed) {
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    if (rng_.unit() < kShare) chances_[i] = kKinds[i].chance * (0.3 + 1.4 * rng_.unit());
  }
}

bool FaultPlan::strikes(Fault fault) {
  if (!has(fault) || rng_.unit() >= chances_[static_cast<std::size_t>(fault)]) return false;
  ++counts_[static_cast<std::size_t>(fault)];
  if (hear_) hear_(fault);
  return true;
}

FaultCounts FaultPlan::counts() const {
  FaultCounts named;
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    if (counts_[i] > 0) named.emplace(kKinds[i].name, counts_[i]);
  }
  return named;
}

}  // namespace qiao::sim
