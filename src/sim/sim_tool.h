// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "base/fetch.h"
#include "sim/fault_plan.h"
#include "sim/journal.h"

namespace qiao::sim {

// A service outside Qiao whose calls have effects: it keeps the first effect of an idempotency key
// and answers the same to the same call again; another call under a used key is refused (422).
// It outlives every server. One thread.
class SimTool {
 public:
  SimTool(FaultPlan& faults, Journal& journal) : faults_(faults), journal_(journal) {}

  Result<FetchResponse> call(const FetchRequest& request);

 private:
  FaultPlan& faults_;
  Journal& journal_;
  std::map<std::string, std::string> effects_;  // key → payload
};

}  // namespace qiao::sim
