// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "broker/broker.h"
#include "broker/streams.h"
#include "flow/agents/processor.h"
#include "flow/agents/tool_box.h"
#include "flow/config/flow_config.h"
#include "flow/config/knowledge.h"
#include "understand/completeness.h"
#include "understand/understander.h"

namespace qiao::flow {

struct FlowMetrics {
  Counter& turns;
  Counter& replies_without_model;
  Counter& drafts_rejected;
  Counter& fallbacks;
  Counter& handed_over;
  Counter& tool_calls;
  Counter& tool_failures;
  Counter& fragments_merged;
  Counter& replies_saved;
  Histogram& gate_seconds;
  Histogram& turn_seconds;
  Histogram& first_text_seconds;
};

// What all turns of a flow share. Made and owned by the FlowEngine; outlives every turn.
struct Parts {
  const FlowConfig& config;
  Broker& broker;
  Streams& streams;
  Executor& executor;
  const Clock& clock;
  std::shared_ptr<const Understander> understander;
  std::shared_ptr<const KnowledgeBase> knowledge;    // null: the flow has none
  std::shared_ptr<const Completeness> completeness;  // null: the turn gate does not judge
  ToolBox& tools;
  std::map<std::string, std::unique_ptr<Processor>> agents;
  FlowMetrics metrics;
  std::int64_t lease_ms = 30'000;
  std::int32_t attempts_max = 5;
  bool recorded = false;  // a replay: what has no receipt is not asked
};

}  // namespace qiao::flow
