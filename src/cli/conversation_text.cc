// SPDX-License-Identifier: Apache-2.0
#include "cli/conversation_text.h"

#include "base/i18n.h"
#include "cli/message_text.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr std::size_t kMessagesShown = 100;

std::string who_said(const Session& session, const Message& message) {
  if (message.source.starts_with("flow/")) return session.say(Text::kCliSaidFlow);
  if (message.source.starts_with("desk/")) return message.source.substr(5);
  return session.say(Text::kCliSaidUser);
}

// A flow's own answer or a person's to the flow's output; a question handed on to a desk, or an
// answer on its way back, says the same words again.
bool repeats(const Message& message) {
  const bool answer = !message.correlation.empty() || message.headers.contains("x-agent");
  const bool handed_on = message.source.starts_with("flow/") && !answer;
  const bool on_its_way =
      message.source.starts_with("desk/") && !message.headers.contains("x-route");
  return handed_on || on_its_way;
}

}  // namespace

Result<std::string> conversation_text(const Session& session, const Client& client,
                                      const std::string& conversation) {
  QIAO_ASSIGN(const Json json, client.get("/v1/conversations/" + url_escape(conversation) +
                                          "/messages?limit=" + std::to_string(kMessagesShown)));
  const Output& out = session.terminal.out;
  std::string text;
  if (!json.contains("messages")) return text;
  for (const Json& item : json["messages"]) {
    QIAO_ASSIGN(const Message message, message_from_json(item));
    if (repeats(message)) continue;
    text += out.paint(Style::kDim, clock_time(message.time_ms)) + "  " +
            out.paint(Style::kBold, one_line(who_said(session, message))) + "  " +
            printable(message.text()) + "\n";
  }
  return text;
}

}  // namespace qiao::cli
