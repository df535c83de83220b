// SPDX-License-Identifier: Apache-2.0
// chat: a conversation with a flow.
#include "base/i18n.h"
#include "cli/chat.h"
#include "cli/command.h"

namespace qiao::cli {
namespace {

Action prepare_chat(Options& options) {
  const auto given = std::make_shared<ChatOptions>();
  options.positional("FLOW", given->flow, Text::kCliFlowNameHelp);
  options.option("--conversation", "ID", given->conversation, Text::kCliChatConversationHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    Interrupts interrupts;
    return run_chat(session, client, interrupts, *given);
  };
}

}  // namespace

std::vector<Command> chat_commands() {
  return {
      {"chat", Text::kCliChat, "echo '满多少包邮？' | qiao chat customer-service", prepare_chat}};
}

}  // namespace qiao::cli
