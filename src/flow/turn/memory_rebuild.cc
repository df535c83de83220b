// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/memory_rebuild.h"

namespace qiao::flow {
namespace {

constexpr std::size_t kEventsRead = 256;
constexpr std::size_t kMessagesRead = 2 * Conversation::kMessagesMax;

}  // namespace

Result<std::shared_ptr<Conversation>> rebuild_conversation(History& history,
                                                           const FlowConfig& config,
                                                           const std::string& id,
                                                           std::uint64_t before) {
  QIAO_TRY(history.wait_for(before, kRebuildWaitMs));
  QIAO_ASSIGN(const std::vector<HistoryEvent> events, history.events(id, kEventsRead));
  auto conversation = std::make_shared<Conversation>();
  conversation->id = id;
  std::uint64_t ended_at = 0;
  for (const HistoryEvent& entry : events) {
    if (entry.event.type != "conversation" || entry.offset >= before) continue;
    *conversation = conversation_from_json(id, entry.event.data);
    conversation->last_ms = entry.event.time_ms;
    if (conversation->state == Conversation::State::kEnded) ended_at = entry.offset;
  }
  // Nothing is known: it begins, unless its first turns were interrupted.
  const bool begins = conversation->last_ms == 0;
  if (begins && config.turn.busy != Busy::kInterrupt) return conversation;

  QIAO_ASSIGN(const std::vector<HistoryMessage> messages, history.messages(id, kMessagesRead));
  for (const HistoryMessage& entry : messages) {
    const bool from_user = entry.message.subject == config.input;
    const bool ours = from_user || entry.message.subject == config.output;
    if (!ours || entry.offset < ended_at || entry.offset >= before) continue;
    conversation->remember(RememberedMessage{entry.message.id, from_user, entry.message.text()});
  }
  return conversation;
}

}  // namespace qiao::flow
