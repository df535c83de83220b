// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "flow/config/flow_config.h"
#include "flow/config/knowledge.h"
#include "flow/turn/conversation.h"
#include "message/annotations.h"
#include "message/message.h"
#include "route/route.h"

namespace qiao::flow {

// What a turn decides by. A plain value.
struct DecideInput {
  const FlowConfig& config;
  const Message& message;
  const Annotations& seen;
  const std::vector<KnowledgeHit>& hits;  // best first
};

// Where the message goes: route() first; then a certain or related knowledge entry, the answer to
// a question that was asked, and a running game take their places. The tiers added to route()'s:
// "knowledge", "follow-up", "game". Changes in `conversation` what the decision settles: the
// question asked, the game left, the count of unknown messages. No other effect.
Decision decide(const DecideInput& input, Conversation& conversation);

// Whether the message says that the conversation shall end: as clearly as `end.score` asks, and
// more clearly than it is like any knowledge entry, the examples of any semantic route, or those
// of the rule that would take it.
bool wants_to_end(const DecideInput& input);

}  // namespace qiao::flow
