// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "flow/config/flow_config.h"
#include "flow/turn/conversation.h"
#include "history/history.h"

namespace qiao {

// One turn of the past as the history has it. A plain value.
struct RecordedTurn {
  StoredMessage question;
  std::vector<StoredMessage> followers;        // answered with it: merged, or said while it ran
  std::vector<StepReceipt> receipts;           // what it was answered by the outside
  std::shared_ptr<const Conversation> before;  // as it began
  std::int64_t began_ms = 0;
  std::optional<Message> reply;
  Json decision;          // data of its event; null: none was made
  std::uint64_t end = 0;  // the record after its last
};

inline constexpr std::size_t kRecordedTurnsMax = 1'000;  // the newest ones

// The turns of a conversation in a flow, in order. `not_found`: there is none. Blocks.
Result<std::vector<RecordedTurn>> recorded_turns(History& history, const FlowConfig& config,
                                                 const std::string& conversation);

}  // namespace qiao
