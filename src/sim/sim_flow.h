// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/random.h"
#include "flow/config/flow_config.h"
#include "flow/engine.h"

namespace qiao::sim {

inline constexpr const char* kFlowInput = "f.in";
inline constexpr const char* kFlowOutput = "f.out";
inline constexpr const char* kFlowDesk = "human.desk";
inline constexpr const char* kFlowReplies = "sim.replies";
inline constexpr const char* kFlowGroup = "flow.sim";
inline constexpr std::int64_t kFlowTokens = 1'500;  // of one turn

// The flow of every simulation: a shop whose model may charge (a keyed effect), an agent with a
// required tool, a person at a desk, and talk. Some runs gather bursts.
FlowConfig make_flow(Rng& rng);
FlowOptions make_flow_options();

}  // namespace qiao::sim
