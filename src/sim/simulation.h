// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/checker.h"
#include "sim/fault_plan.h"
#include "sim/server.h"

namespace qiao::sim {

struct SimOptions {
  std::uint64_t seed = 1;
  bool keep_trace = false;
  WrapLog wrap_log;  // tests only
};

// What one seed gave.
struct SimResult {
  std::uint64_t seed = 0;
  std::int64_t simulated_ms = 0;
  std::uint64_t steps = 0;
  std::uint64_t records = 0;
  std::uint64_t lives = 0;  // of the server
  FaultCounts faults;
  std::vector<Violation> violations;
  std::uint64_t trace_sum = 0;
  std::string trace;  // with keep_trace
};

// Plays one seed: clients against the real broker, log and flow on this thread, in virtual time,
// first with faults (safety), then without until everything has finished (liveness), then every
// checker over what was seen. The same seed gives the same trace, byte for byte.
// docs/internals/simulation.md tells more.
SimResult simulate(const SimOptions& options);

}  // namespace qiao::sim
