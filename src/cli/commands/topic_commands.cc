// SPDX-License-Identifier: Apache-2.0
// pub, sub, req: topics from the shell.
#include <unistd.h>

#include <charconv>
#include <optional>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/interrupts.h"
#include "cli/line_reader.h"
#include "cli/message_text.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kRequestMs = 10'000;

// The options that make up a message.
struct MessageOptions {
  std::string subject;
  std::string text;
  std::string conversation;
  std::string id;
  std::string reply_to;
  std::string cause;
  std::int64_t priority = 4;
  std::vector<std::string> headers;  // "name=value"

  void declare(Options& options) {
    options.option("--conversation", "ID", conversation, Text::kCliConversationHelp);
    options.option("--id", "ID", id, Text::kCliIdHelp);
    options.option("--reply-to", "SUBJECT", reply_to, Text::kCliReplyToHelp);
    options.option("--cause", "ID", cause, Text::kCliCauseHelp);
    options.option("--priority", "0-9", priority, Text::kCliPriorityHelp);
    options.option("--header", "NAME=VALUE", headers, Text::kCliHeaderHelp);
  }

  [[nodiscard]] Result<Message> message(std::string body) const {
    Message message = text_message(subject, std::move(body), conversation);
    message.id = id;
    message.reply_to = reply_to;
    message.cause = cause;
    if (priority < 0 || priority > 9) return invalid_argument("--priority is 0 to 9");
    message.priority = static_cast<std::uint8_t>(priority);
    for (const std::string& header : headers) {
      const std::size_t equals = header.find('=');
      if (equals == std::string::npos || equals == 0)
        return invalid_argument("--header is NAME=VALUE, not '" + header + "'");
      message.headers[header.substr(0, equals)] = header.substr(equals + 1);
    }
    QIAO_TRY(validate(message));
    return message;
  }
};

void print_accepted(Session& session, const Accepted& accepted) {
  if (session.json) {
    return session.print_json(Json{{"id", accepted.id},
                                   {"offset", accepted.offset},
                                   {"durability", accepted.durability},
                                   {"duplicate", accepted.duplicate}});
  }
  session.terminal.out.line(accepted.id + "  " + std::to_string(accepted.offset) + "  " +
                            accepted.durability +
                            (accepted.duplicate ? session.say(Text::kCliDuplicate) : ""));
}

struct PubOptions : MessageOptions {
  std::string expected_last;  // an offset, "none", or ""
};

Result<std::optional<ExpectedLast>> expected_of(const std::string& text) {
  if (text.empty()) return std::optional<ExpectedLast>();
  if (text == "none") return std::optional(ExpectedLast{});
  std::uint64_t offset = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), offset);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
    return invalid_argument("--expected-last is an offset or 'none', not '" + text + "'");
  return std::optional(ExpectedLast{offset});
}

Status publish_one(Session& session, const Client& client, const PubOptions& options,
                   std::string text) {
  QIAO_ASSIGN(const Message message, options.message(std::move(text)));
  QIAO_ASSIGN(const std::optional<ExpectedLast> expected, expected_of(options.expected_last));
  QIAO_ASSIGN(const Accepted accepted, client.publish(message, expected));
  print_accepted(session, accepted);
  return {};
}

Action prepare_pub(Options& options) {
  const auto given = std::make_shared<PubOptions>();
  options.positional("SUBJECT", given->subject, Text::kCliSubjectHelp);
  options.positional("TEXT", given->text, Text::kCliPubTextHelp, false);
  given->declare(options);
  options.option("--expected-last", "OFFSET", given->expected_last, Text::kCliExpectedLastHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    if (!given->text.empty()) {
      QIAO_TRY(publish_one(session, client, *given, given->text));
      return kExitOk;
    }
    Interrupts interrupts;
    LineReader lines(STDIN_FILENO, interrupts);
    while (auto line = lines.next()) {
      QIAO_TRY(publish_one(session, client, *given, std::move(*line)));
    }
    return kExitOk;
  };
}

struct SubOptions {
  std::string pattern;
  std::int64_t from = -1;
  std::int64_t count = 0;
};

Action prepare_sub(Options& options) {
  const auto given = std::make_shared<SubOptions>();
  options.positional("PATTERN", given->pattern, Text::kCliPatternHelp);
  options.option("--from", "OFFSET", given->from, Text::kCliSubFromHelp);
  options.option("-n,--count", "N", given->count, Text::kCliSubCountHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    std::optional<std::uint64_t> from;
    if (given->from >= 0) from = static_cast<std::uint64_t>(given->from);
    if (session.terminal.err.is_terminal()) session.note(Text::kCliSubStops);
    Interrupts interrupts;
    const StopOnInterrupt stop(interrupts);
    std::int64_t seen = 0;
    const auto on_message = [&](const ReceivedMessage& received) {
      print_message(session, received);
      return ++seen != given->count;
    };
    QIAO_TRY(client.subscribe(given->pattern, from, on_message, stop.token()));
    return kExitOk;
  };
}

struct ReqOptions {
  MessageOptions message;
  std::int64_t timeout_ms = kRequestMs;
};

Action prepare_req(Options& options) {
  const auto given = std::make_shared<ReqOptions>();
  options.positional("SUBJECT", given->message.subject, Text::kCliSubjectHelp);
  options.positional("TEXT", given->message.text, Text::kCliReqTextHelp);
  options.duration("--timeout", given->timeout_ms, Text::kCliReqTimeoutHelp);
  given->message.declare(options);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Message message, given->message.message(given->message.text));
    Interrupts interrupts;
    const StopOnInterrupt stop(interrupts);
    QIAO_ASSIGN(const Message reply, client.request(message, given->timeout_ms, stop.token()));
    if (session.json) {
      session.print_json(qiao::to_json(reply));
    } else {
      session.terminal.out.line(printable(reply.text()));
    }
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> topic_commands() {
  return {
      {"pub", Text::kCliPub, "qiao pub orders.new '{\"id\": 7}' --conversation c1", prepare_pub},
      {"sub", Text::kCliSub, "qiao sub 'orders.>' --from 0", prepare_sub},
      {"req", Text::kCliReq, "qiao req billing.balance 'account 42' --timeout 5s", prepare_req}};
}

}  // namespace qiao::cli
