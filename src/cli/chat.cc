// SPDX-License-Identifier: Apache-2.0
#include "cli/chat.h"

#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/random.h"
#include "cli/conversation_text.h"
#include "cli/exit_status.h"
#include "cli/line_reader.h"
#include "cli/why_text.h"
#include "client/converse.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

std::string new_conversation() {
  return "chat-" + random_hex(6);
}

// Prints what persons write into a conversation, which no answer brings.
class PersonListener {
 public:
  PersonListener(Session& session, const Client& client, const std::string& subject)
      : thread_([this, &session, client, subject](const std::stop_token& stop) {
          const auto on_message = [&](const ReceivedMessage& received) {
            print(session, received.message);
            return true;
          };
          const Status ended = client.subscribe(subject, std::nullopt, on_message, stop);
          if (!ended && !stop.stop_requested())
            session.note(Text::kCliChatNoPerson, {ended.error().message});
        }) {}

  void follow(const std::string& conversation) {
    const std::lock_guard lock(mutex_);
    conversation_ = conversation;
  }

 private:
  void print(Session& session, const Message& message) {
    const std::lock_guard lock(mutex_);
    const bool by_person = message.source.starts_with("desk/");
    const bool late = message.headers.contains("x-after");  // an answer that waited for consent
    if (message.conversation != conversation_ || (!by_person && !late)) return;
    Output& out = session.terminal.out;
    const std::string name = by_person ? one_line(message.source.substr(5)) + ": " : "";
    out.line("\n" + out.paint(Style::kBold, name) + printable(message.text()));
  }

  std::mutex mutex_;
  std::string conversation_;
  std::jthread thread_;  // last: it uses the others
};

class Chat {
 public:
  Chat(Session& session, const Client& client, Interrupts& interrupts, const ChatOptions& options)
      : session_(session),
        out_(session.terminal.out),
        client_(client),
        interrupts_(interrupts),
        lines_(STDIN_FILENO, interrupts),
        flow_(options.flow),
        conversation_(options.conversation.empty() ? new_conversation() : options.conversation) {}

  Result<int> run() {
    QIAO_ASSIGN(const Json flow, client_.get("/v1/flows/" + url_escape(flow_)));
    greet(flow);
    PersonListener listener(session_, client_, json_string(flow, "output").value_or(""));
    while (!quit_) {
      listener.follow(conversation_);
      if (typed()) out_.write(out_.paint(Style::kBold, "> "));
      const auto line = lines_.next();
      if (!line) break;
      if (line->find_first_not_of(" \t") != std::string::npos) take(*line);
    }
    if (typed()) out_.line("");
    return status_;
  }

 private:
  [[nodiscard]] bool typed() const { return session_.terminal.input_is_terminal; }

  void greet(const Json& flow) {
    if (session_.json) return;
    const bool chinese = session_.language == Language::kChinese;
    const auto greeting = flow.contains("greeting")
                              ? json_string(flow["greeting"], chinese ? "zh" : "en")
                              : std::nullopt;
    if (greeting && !greeting->empty()) out_.line(printable(*greeting));
    if (typed()) session_.note(Text::kCliChatCommands);
  }

  void take(const std::string& line) {
    if (line == "/quit" || line == "/exit") {
      quit_ = true;
    } else if (line == "/new") {
      conversation_ = new_conversation();
      last_message_.clear();
      session_.note(Text::kCliChatNew);
    } else if (line == "/why") {
      why();
    } else if (line == "/history") {
      show(conversation_text(session_, client_, conversation_));
    } else if (line == "/person") {
      ask(session_.say(Text::kCliChatPerson));
    } else if (line.starts_with("/")) {
      session_.note(Text::kCliChatCommands);
    } else {
      ask(line);
    }
  }

  void show(const Result<std::string>& text) {
    if (text) {
      out_.write(*text);
    } else {
      status_ = report(session_, text.error());
    }
  }

  void why() {
    if (last_message_.empty()) return session_.note(Text::kCliChatNothingYet);
    const auto account = ask_why(session_, client_, last_message_);
    if (!account) return show(account.error());
    show(why_text(session_, *account));
  }

  void ask(const std::string& text) {
    if (!typed() && !session_.json) out_.line("> " + printable(text));
    const SystemClock clock;
    const std::int64_t begin_us = clock.steady_us();
    const auto on_piece = [this](std::string_view piece) {
      if (!session_.json) out_.write(printable(piece));
    };
    const StopOnInterrupt stop(interrupts_);
    const auto answer = converse(client_, {flow_, text, conversation_}, on_piece, stop.token());
    const double ms = static_cast<double>(clock.steady_us() - begin_us) / 1000;
    if (!session_.json) out_.line("");
    if (!answer && stop.stopped()) return session_.note(Text::kCliChatCancelled);
    if (!answer) {
      status_ = report(session_, answer.error());
      return;
    }
    last_message_ = answer->message_id;
    tell(text, *answer, ms);
  }

  // The route under the answer; a history that lags leaves it out.
  void tell(const std::string& text, const Answer& answer, double ms) {
    const auto why = answer.message_id.empty()
                         ? Result<Json>(not_found("the answer names no message"))
                         : ask_why(session_, client_, answer.message_id);
    if (session_.json) {
      Json json{{"question", text},
                {"answer", answer.text},
                {"message_id", answer.message_id},
                {"conversation", conversation_},
                {"finish", answer.finish},
                {"ms", ms}};
      json["decision"] = why ? why->value("decision", Json()) : Json();
      return session_.print_json(json);
    }
    const std::string line = why ? route_line(*why, ms) : "";
    if (!line.empty()) out_.line(out_.paint(Style::kDim, line));
  }

  Session& session_;
  Output& out_;
  const Client client_;
  Interrupts& interrupts_;
  LineReader lines_;
  const std::string flow_;
  std::string conversation_;
  std::string last_message_;  // id of the last question
  int status_ = kExitOk;
  bool quit_ = false;
};

}  // namespace

Result<int> run_chat(Session& session, const Client& client, Interrupts& interrupts,
                     const ChatOptions& options) {
  return Chat(session, client, interrupts, options).run();
}

}  // namespace qiao::cli
