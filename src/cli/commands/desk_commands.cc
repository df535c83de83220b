// SPDX-License-Identifier: Apache-2.0
// desk: a person answers what flows hand over, one message at a time.
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/conversation_text.h"
#include "cli/exit_status.h"
#include "cli/interrupts.h"
#include "cli/line_reader.h"
#include "cli/message_text.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kLeaseMs = 60'000;
constexpr std::int64_t kExtendEveryMs = kLeaseMs / 3;
constexpr std::int64_t kWaitMs = 1'000;  // for the next message, between looks at the input
constexpr std::int64_t kSkipMs = 30'000;
constexpr std::int32_t kAttemptsMax = 1'000;  // a person's hesitation makes no dead letters

struct DeskOptions {
  std::string subject = "human.desk";
  std::string name;
};

std::string user_name() {
  const char* user = std::getenv("USER");
  return user == nullptr || *user == '\0' ? "desk" : user;
}

// Holds a lease as long as it lives, while somebody thinks and types.
class LeaseKeeper {
 public:
  LeaseKeeper(const Client& client, const LeasedMessage& leased)
      : thread_([client, leased](const std::stop_token& stop) {
          std::int64_t waited_ms = 0;
          while (!stop.stop_requested()) {
            constexpr std::int64_t kStepMs = 100;
            std::this_thread::sleep_for(std::chrono::milliseconds(kStepMs));
            waited_ms += kStepMs;
            if (waited_ms < kExtendEveryMs) continue;
            waited_ms = 0;
            if (!client.extend(leased, kLeaseMs)) return;  // lost: the ack will tell
          }
        }) {}

 private:
  std::jthread thread_;
};

class Desk {
 public:
  Desk(Session& session, Client client, DeskOptions options)
      : session_(session),
        out_(session.terminal.out),
        client_(std::move(client)),
        options_(std::move(options)),
        lines_(STDIN_FILENO, interrupts_) {
    group_ = "desk." + options_.subject;
  }

  Result<int> run() {
    GroupOptions group{group_, options_.subject, "oldest", kLeaseMs, kAttemptsMax, true};
    QIAO_TRY(client_.create_group(group));
    session_.note(Text::kCliDeskOpen, {options_.subject, options_.name});
    while (!quit_) {
      QIAO_ASSIGN(const auto leased, wait_for_message());
      if (!leased) break;
      QIAO_TRY(serve(*leased));
    }
    return kExitOk;
  }

 private:
  // Nothing when the input has ended, a signal came or it was left.
  Result<std::optional<LeasedMessage>> wait_for_message() {
    while (!quit_ && !lines_.ended() && !interrupts_.wait(0)) {
      QIAO_ASSIGN(std::vector<LeasedMessage> leased,
                  client_.lease(group_, options_.name, 1, kWaitMs));
      take_typed_early();
      if (leased.empty()) continue;
      if (!quit_) return std::optional(std::move(leased.front()));
      QIAO_TRY(client_.nack(leased.front(), 0, false, "the desk closed"));
    }
    return std::optional<LeasedMessage>();
  }

  // What a person types before a message is open is an answer to none.
  void take_typed_early() {
    if (!session_.terminal.input_is_terminal) return;
    while (const auto line = lines_.waiting()) {
      quit_ = quit_ || *line == "/quit";
      if (!quit_ && !line->empty()) session_.note(Text::kCliDeskNothingOpen);
    }
  }

  Status serve(const LeasedMessage& leased) {
    show(leased);
    if (leased.message.headers.contains("x-approval")) return decide(leased);
    std::optional<std::string> line;
    {
      const LeaseKeeper keeper(client_, leased);
      line = next_answer();
    }
    if (!line || *line == "/quit") {
      quit_ = true;
      return client_.nack(leased, 0, false, "the desk closed");
    }
    if (*line == "/skip") return client_.nack(leased, kSkipMs, false, "skipped at the desk");
    if (*line == "/handback" || line->starts_with("/handback "))
      return answer(leased, line->substr(std::min<std::size_t>(line->size(), 10)), true);
    return answer(leased, *line, false);
  }

  // A line that says something.
  std::optional<std::string> next_answer() {
    while (true) {
      if (session_.terminal.input_is_terminal) out_.write(out_.paint(Style::kBold, "desk> "));
      auto line = lines_.next();
      if (!line || line->find_first_not_of(" \t") != std::string::npos) return line;
    }
  }

  void show(const LeasedMessage& leased) {
    if (session_.json) {
      Json json{{"offset", leased.offset}, {"attempt", leased.attempt}, {"lease", leased.lease}};
      json["message"] = qiao::to_json(leased.message);
      return session_.print_json(json);
    }
    const std::string& conversation = leased.message.conversation;
    out_.line("\n" + out_.paint(Style::kBold,
                                session_.say(Text::kCliDeskMessage, {one_line(conversation)})));
    if (conversation.empty()) return out_.line(printable(leased.message.text()));
    const auto so_far = conversation_text(session_, client_, conversation);
    if (so_far) out_.write(*so_far);
    out_.line("→ " + printable(leased.message.text()));
    if (leased.message.headers.contains("x-approval")) return show_proposal(leased.message);
    session_.note(Text::kCliDeskCommands);
  }

  // A proposed effect: /approve or /deny, with a note. What was decided meanwhile is let go.
  Status decide(const LeasedMessage& leased) {
    const std::string& id = leased.message.headers.at("x-approval");
    out_.line(out_.paint(Style::kDim, "/approve [NOTE] · /deny [NOTE] · /skip · /quit"));
    while (true) {
      std::optional<std::string> line;
      {
        const LeaseKeeper keeper(client_, leased);
        line = next_answer();
      }
      if (!line || *line == "/quit") {
        quit_ = true;
        return client_.nack(leased, 0, false, "the desk closed");
      }
      if (*line == "/skip") return client_.nack(leased, kSkipMs, false, "skipped at the desk");
      const std::size_t space = line->find(' ');
      const std::string word = line->substr(0, space);
      if (word != "/approve" && word != "/deny") {
        out_.line(out_.paint(Style::kDim, "/approve [NOTE] · /deny [NOTE] · /skip · /quit"));
        continue;
      }
      Json body{{"decision", word.substr(1)}, {"by", options_.name}};
      if (space != std::string::npos) body["note"] = line->substr(space + 1);
      const auto decided = client_.call("POST", "/v1/approvals/" + url_escape(id), body);
      const bool over = !decided && (decided.error().code == Code::kNotFound ||
                                     decided.error().code == Code::kConflict);
      if (!decided && !over) return decided.error();
      if (over) out_.line(printable(decided.error().message));
      QIAO_TRY(client_.ack(leased));
      if (!over) session_.note(Text::kCliDeskSent);
      return {};
    }
  }

  // What is to be done, with what, and why the flow proposes it.
  void show_proposal(const Message& message) {
    for (const Part& part : message.parts) {
      const auto context =
          part.kind == Part::Kind::kJson ? parse_json(part.data) : Result<Json>(Json());
      if (!context || !context->is_object()) continue;
      const auto line = [this](const std::string& name, const Json& value) {
        out_.line("  " + out_.paint(Style::kDim, printable(name) + ": ") +
                  printable(value.is_string() ? value.get<std::string>() : dump_json(value)));
      };
      out_.line(out_.paint(Style::kBold, printable(json_string(*context, "tool").value_or(""))) +
                "  " + printable(json_string(*context, "describe").value_or("")));
      const Json arguments = context->value("arguments", Json::object());
      if (arguments.is_object()) {
        for (const auto& [name, value] : arguments.items()) line(name, value);
      }
      const Json decision = context->value("decision", Json::object());
      if (!decision.is_object()) continue;
      line(session_.say(Text::kCliDeskReason), json_string(decision, "route").value_or("") + " — " +
                                                   json_string(decision, "reason").value_or(""));
    }
  }

  // The reply's id is made of the question's: sent again after a fault, it is stored once.
  Status answer(const LeasedMessage& leased, const std::string& text, bool hand_back) {
    const Message& asked = leased.message;
    if (asked.reply_to.empty()) {
      session_.note(Text::kCliDeskNoReply);
      return client_.ack(leased);
    }
    Message reply = text_message(asked.reply_to, text, asked.conversation);
    if (text.empty()) reply.parts.clear();
    reply.id = "desk." + asked.id;
    reply.id.resize(std::min(reply.id.size(), kIdBytesMax));
    reply.correlation = asked.id;
    reply.cause = asked.id;
    reply.source = "desk/" + options_.name;
    if (hand_back) reply.headers["x-done"] = "true";
    QIAO_TRY(client_.ack(leased, {reply}));
    session_.note(hand_back ? Text::kCliDeskHandedBack : Text::kCliDeskSent);
    return {};
  }

  Session& session_;
  Output& out_;
  const Client client_;
  const DeskOptions options_;
  Interrupts interrupts_;
  LineReader lines_;
  std::string group_;
  bool quit_ = false;
};

Action prepare_desk(Options& options) {
  const auto given = std::make_shared<DeskOptions>();
  given->name = user_name();
  options.positional("SUBJECT", given->subject, Text::kCliDeskSubjectHelp, false);
  options.option("--as", "NAME", given->name, Text::kCliDeskAsHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(Client client, session.client());
    return Desk(session, std::move(client), *given).run();
  };
}

}  // namespace

std::vector<Command> desk_commands() {
  return {{"desk", Text::kCliDesk, "qiao desk human.desk --as ann", prepare_desk}};
}

}  // namespace qiao::cli
