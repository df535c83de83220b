// SPDX-License-Identifier: Apache-2.0
#include "cli/message_text.h"

#include <ctime>

#include "text/display_width.h"

namespace qiao::cli {

std::string clock_time(std::int64_t time_ms) {
  const std::time_t seconds = time_ms / 1000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  char buffer[16];
  std::strftime(buffer, sizeof buffer, "%H:%M:%S", &local);
  return buffer;
}

std::string message_summary(const Message& message) {
  std::string summary;
  for (const Part& part : message.parts) {
    if (!summary.empty()) summary += ' ';
    const bool readable = part.kind == Part::Kind::kText || part.kind == Part::Kind::kJson;
    summary += readable ? part.data
                        : "[" + part.media_type + " " + std::to_string(part.data.size()) + " B]";
  }
  return one_line(summary);
}

Json to_json(const ReceivedMessage& received) {
  Json json = qiao::to_json(received.message);
  json["offset"] = received.offset;
  return json;
}

void print_message(Session& session, const ReceivedMessage& received) {
  if (session.json) return session.print_json(to_json(received));
  Output& out = session.terminal.out;
  const Message& message = received.message;
  std::string head = pad_left(std::to_string(received.offset), 6) + "  " +
                     clock_time(message.time_ms) + "  " + one_line(message.subject);
  if (!message.conversation.empty()) head += "  [" + one_line(message.conversation) + "]";
  out.line(out.paint(Style::kDim, head) + "  " + message_summary(message));
}

}  // namespace qiao::cli
