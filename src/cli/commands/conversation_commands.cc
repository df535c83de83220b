// SPDX-License-Identifier: Apache-2.0
// replay, fork: a conversation's past, again and otherwise.
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kReplayMsMax = 30LL * 60 * 1'000;

std::string path_of(const std::string& conversation, const std::string& verb) {
  return "/v1/conversations/" + url_escape(conversation) + "/" + verb;
}

std::string text_at(const Json& turn, const char* when) {
  const auto side = turn.find(when);
  return side == turn.end() ? "" : json_string(*side, "reply").value_or("");
}

// The question; below it what is not as it was.
void print_turn(Session& session, const Json& turn) {
  const bool same = json_bool(turn, "same").value_or(false);
  Output& out = session.terminal.out;
  out.line((same ? "=  " : "≠  ") + json_string(turn, "message_id").value_or("") + "  " +
           json_string(turn, "question").value_or(""));
  const auto difference = turn.find("difference");
  if (difference == turn.end()) return;
  out.line("   " + json_string(*difference, "at").value_or(""));
  out.line("   - " + json_string(*difference, "then").value_or(""));
  out.line("   + " + json_string(*difference, "now").value_or(""));
  const std::string then = text_at(turn, "then");
  const std::string now = text_at(turn, "now");
  if (then == now) return;
  out.line("   " + session.say(Text::kCliReplayThen, {then}));
  out.line("   " + session.say(Text::kCliReplayNow, {now}));
}

Action prepare_replay(Options& options) {
  struct Given {
    std::string conversation;
    std::string flow;
    std::string model;
    bool live = false;
  };
  const auto given = std::make_shared<Given>();
  options.positional("CONVERSATION", given->conversation, Text::kCliReplayConversationHelp);
  options.flag("--live", given->live, Text::kCliReplayLiveHelp);
  options.option("--model", "NAME", given->model, Text::kCliReplayModelHelp);
  options.option("--flow", "NAME", given->flow, Text::kCliReplayFlowHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    Json body{{"live", given->live || !given->model.empty()}};
    if (!given->model.empty()) body["model"] = given->model;
    if (!given->flow.empty()) body["flow"] = given->flow;
    QIAO_ASSIGN(const Json done,
                client.call("POST", path_of(given->conversation, "replay"), body, kReplayMsMax));
    const bool same = json_bool(done, "same").value_or(false);
    const bool live = json_bool(done, "live").value_or(false);
    const Json turns = done.contains("turns") ? done["turns"] : Json::array();
    if (session.json) {
      session.print_json(done);
    } else {
      for (const Json& turn : turns) print_turn(session, turn);
      const std::string count = std::to_string(turns.size());
      const std::string first = json_string(done, "first_difference").value_or("");
      session.terminal.out.line(same ? session.say(Text::kCliReplaySame, {count})
                                     : session.say(Text::kCliReplayOther, {count, first}));
    }
    return same || live ? kExitOk : kExitNegative;
  };
}

Action prepare_fork(Options& options) {
  struct Given {
    std::string conversation;
    std::string at;
    std::string as;
  };
  const auto given = std::make_shared<Given>();
  options.positional("CONVERSATION", given->conversation, Text::kCliForkConversationHelp);
  options.option("--at", "MESSAGE-ID", given->at, Text::kCliForkAtHelp);
  options.option("--as", "NEW-ID", given->as, Text::kCliForkAsHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    if (given->at.empty()) return invalid_argument(session.say(Text::kCliForkNeedsAt));
    QIAO_ASSIGN(const Client client, session.client());
    Json body{{"at", given->at}};
    if (!given->as.empty()) body["as"] = given->as;
    QIAO_ASSIGN(const Json done, client.call("POST", path_of(given->conversation, "fork"), body));
    if (session.json) {
      session.print_json(done);
    } else {
      session.terminal.out.line(json_string(done, "conversation").value_or(""));
    }
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> conversation_commands() {
  return {{"replay", Text::kCliReplay, "qiao replay c1", prepare_replay},
          {"fork", Text::kCliFork, "qiao fork c1 --at 01JD3Q8Z7W5V0C9K2M4N6P8R1T --as c2",
           prepare_fork}};
}

}  // namespace qiao::cli
