// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "flow/config/flow_config.h"
#include "flow/turn/conversation.h"
#include "history/history.h"

namespace qiao::flow {

// The conversation as its last "conversation" event and messages tell it: after a restart, or
// when it was unused for long. `before`: offset of the message that asks; everything earlier is
// waited for, at most kWaitMs. Blocks: on a worker thread only. An Error (history damaged or
// behind): begin with what is known, nothing.
Result<std::shared_ptr<Conversation>> rebuild_conversation(History& history,
                                                           const FlowConfig& config,
                                                           const std::string& id,
                                                           std::uint64_t before);

inline constexpr std::int64_t kRebuildWaitMs = 3'000;

}  // namespace qiao::flow
