// SPDX-License-Identifier: Apache-2.0
// dlq ls, show, retry, edit, drop: dead letters.
#include <charconv>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/message_text.h"

namespace qiao::cli {
namespace {

constexpr std::size_t kLettersMax = 1'000;
const std::string kDeadTopics = "dead.>";

std::string header_of(const Message& message, const std::string& name) {
  const auto found = message.headers.find(name);
  return found == message.headers.end() ? "" : found->second;
}

Json letter_json(const ReceivedMessage& letter) {
  return Json{{"offset", letter.offset},
              {"group", header_of(letter.message, "x-dead-group")},
              {"origin", header_of(letter.message, "x-dead-origin")},
              {"attempts", header_of(letter.message, "x-dead-attempts")},
              {"error", header_of(letter.message, "x-dead-error")},
              {"reason", header_of(letter.message, "x-dead-reason")},
              {"message", to_json(letter.message)}};
}

std::string letter_line(const ReceivedMessage& letter) {
  const Message& message = letter.message;
  const std::string error = header_of(message, "x-dead-error");
  return std::to_string(letter.offset) + "  " + header_of(message, "x-dead-group") + "  " +
         header_of(message, "x-dead-origin") + "  x" + header_of(message, "x-dead-attempts") +
         "  " + (error.empty() ? "" : error + ": ") + header_of(message, "x-dead-reason") + "  " +
         message.text();
}

bool is_letter(const ReceivedMessage& received) {
  return received.message.headers.contains("x-dead-group");
}

// The first page of those of a topic; all topics below "dead." without one.
Result<std::vector<ReceivedMessage>> letters(const Client& client, const std::string& topic) {
  QIAO_ASSIGN(MessagePage page, client.read(topic.empty() ? kDeadTopics : topic, 0, kLettersMax));
  std::erase_if(page.messages, [](const ReceivedMessage& one) { return !is_letter(one); });
  return page.messages;
}

Action prepare_ls(Options& options) {
  const auto topic = std::make_shared<std::string>();
  options.positional("SUBJECT", *topic, Text::kCliDlqTopicHelp, false);
  options.server();
  return [topic](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const auto found, letters(client, *topic));
    if (session.json) {
      Json list = Json::array();
      for (const ReceivedMessage& letter : found) list.push_back(letter_json(letter));
      session.print_json(Json{{"letters", std::move(list)}});
      return kExitOk;
    }
    for (const ReceivedMessage& letter : found) session.terminal.out.line(letter_line(letter));
    if (found.empty()) session.terminal.out.line(session.say(Text::kCliDlqNone));
    return kExitOk;
  };
}

struct LetterOptions {
  std::string offset;
  std::string text;
  void declare(Options& options) {
    options.positional("OFFSET", offset, Text::kCliDlqOffsetHelp);
    options.server();
  }
  [[nodiscard]] std::string path() const { return "/v1/dead-letters/" + url_escape(offset); }
};

Result<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
    return invalid_argument("OFFSET is a number, not '" + text + "'");
  return number;
}

Action prepare_show(Options& options) {
  const auto given = std::make_shared<LetterOptions>();
  given->declare(options);
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const std::uint64_t offset, number_of(given->offset));
    QIAO_ASSIGN(const MessagePage page, client.read(">", offset, 1));
    const bool there = !page.messages.empty() && page.messages.front().offset == offset &&
                       is_letter(page.messages.front());
    if (!there) return not_found("no dead letter is kept at offset " + given->offset);
    const Json json = letter_json(page.messages.front());
    session.json ? session.print_json(json) : session.terminal.out.line(json.dump(2));
    return kExitOk;
  };
}

Result<int> send_again(Session& session, const LetterOptions& given, const Json& body) {
  QIAO_ASSIGN(const Client client, session.client());
  QIAO_ASSIGN(const Json json, client.call("POST", given.path() + "/retry", body));
  if (session.json) {
    session.print_json(json);
  } else {
    session.terminal.out.line(json_string(json, "id").value_or("") + "  " +
                              std::to_string(json_integer(json, "offset").value_or(0)));
  }
  return kExitOk;
}

Action prepare_retry(Options& options) {
  const auto given = std::make_shared<LetterOptions>();
  given->declare(options);
  return [given](Session& session) { return send_again(session, *given, Json::object()); };
}

Action prepare_edit(Options& options) {
  const auto given = std::make_shared<LetterOptions>();
  options.positional("OFFSET", given->offset, Text::kCliDlqOffsetHelp);
  options.positional("TEXT", given->text, Text::kCliDlqTextHelp);
  options.server();
  return [given](Session& session) {
    return send_again(session, *given, Json{{"text", given->text}});
  };
}

Action prepare_drop(Options& options) {
  const auto given = std::make_shared<LetterOptions>();
  given->declare(options);
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_TRY(client.call("DELETE", given->path()));
    if (session.json) session.print_json(Json{{"dropped", true}});
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> dlq_commands() {
  return {{"dlq ls", Text::kCliDlqLs, "qiao dlq ls dead.support", prepare_ls},
          {"dlq show", Text::kCliDlqShow, "qiao dlq show 42", prepare_show},
          {"dlq retry", Text::kCliDlqRetry, "qiao dlq retry 42", prepare_retry},
          {"dlq edit", Text::kCliDlqEdit, "qiao dlq edit 42 'where is order 7?'", prepare_edit},
          {"dlq drop", Text::kCliDlqDrop, "qiao dlq drop 42", prepare_drop}};
}

}  // namespace qiao::cli
