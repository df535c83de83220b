// SPDX-License-Identifier: Apache-2.0
// topic ls, show, set, unset: how topics are kept.
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/table.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

std::string path_of(const std::string& pattern) {
  return "/v1/topics/" + url_escape(pattern) + "/settings";
}

// "7d", "12h", "30s" where that is exact.
std::string age_text(std::int64_t ms) {
  struct Unit {
    const char* name;
    std::int64_t ms;
  };
  constexpr Unit kUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}};
  for (const Unit& unit : kUnits) {
    if (ms % unit.ms == 0) return std::to_string(ms / unit.ms) + unit.name;
  }
  return std::to_string(ms) + "ms";
}

std::string bound_text(const Json& settings, std::string_view key) {
  const std::int64_t bound = json_integer(settings, key).value_or(0);
  if (bound == 0) return "-";
  return key == "retain_ms" ? age_text(bound) : std::to_string(bound);
}

void print_table(Session& session, const Json& list) {
  const auto says = [](const Json& settings, const char* key) {
    return settings.contains(key) && settings[key] == true;
  };
  Table table({{session.say(Text::kCliColumnPattern)},
               {session.say(Text::kCliColumnAge), Align::kRight},
               {session.say(Text::kCliColumnMessages), Align::kRight},
               {session.say(Text::kCliColumnBytes), Align::kRight},
               {session.say(Text::kCliColumnBacklog), Align::kRight},
               {session.say(Text::kCliColumnCompact)},
               {session.say(Text::kCliColumnUnacked)}});
  for (const Json& one : list) {
    table.add(
        {one_line(json_string(one, "pattern").value_or("")), bound_text(one, "retain_ms"),
         bound_text(one, "retain_messages"), bound_text(one, "retain_bytes"),
         bound_text(one, "backlog_max"),
         session.say(says(one, "compact") ? Text::kCliYes : Text::kCliNo),
         session.say(says(one, "drop_unacked") ? Text::kCliTopicDropped : Text::kCliTopicKept)});
  }
  session.terminal.out.write(table.text(session.terminal.out));
}

Action prepare_ls(Options& options) {
  options.server();
  return [](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json json, client.get("/v1/topic-settings"));
    if (!json.contains("settings")) return internal("the server's answer has no settings");
    if (session.json) {
      session.print_json(json);
    } else if (json["settings"].empty()) {
      session.note(Text::kCliTopicNone);
    } else {
      print_table(session, json["settings"]);
    }
    return kExitOk;
  };
}

Action prepare_show(Options& options) {
  const auto pattern = std::make_shared<std::string>();
  options.positional("PATTERN", *pattern, Text::kCliPatternHelp);
  options.server();
  return [pattern](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json json, client.get(path_of(*pattern)));
    if (session.json) {
      session.print_json(json);
    } else {
      print_table(session, Json::array({json}));
    }
    return kExitOk;
  };
}

struct SetOptions {
  std::string pattern;
  std::int64_t age_ms = 0;
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
  std::int64_t backlog = 0;
  bool compact = false;
  bool drop_unacked = false;
};

Action prepare_set(Options& options) {
  const auto given = std::make_shared<SetOptions>();
  options.positional("PATTERN", given->pattern, Text::kCliPatternHelp);
  options.duration("--age", given->age_ms, Text::kCliTopicAgeHelp);
  options.option("--messages", "N", given->messages, Text::kCliTopicMessagesHelp);
  options.option("--bytes", "N", given->bytes, Text::kCliTopicBytesHelp);
  options.option("--backlog", "N", given->backlog, Text::kCliTopicBacklogHelp);
  options.flag("--compact", given->compact, Text::kCliTopicCompactHelp);
  options.flag("--drop-unacked", given->drop_unacked, Text::kCliTopicDropHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    const Json body{{"retain_ms", given->age_ms},   {"retain_messages", given->messages},
                    {"retain_bytes", given->bytes}, {"backlog_max", given->backlog},
                    {"compact", given->compact},    {"drop_unacked", given->drop_unacked}};
    QIAO_TRY(client.call("PUT", path_of(given->pattern), body));
    if (session.json) session.print_json(Json{{"set", given->pattern}});
    return kExitOk;
  };
}

Action prepare_unset(Options& options) {
  const auto pattern = std::make_shared<std::string>();
  options.positional("PATTERN", *pattern, Text::kCliPatternHelp);
  options.server();
  return [pattern](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_TRY(client.call("DELETE", path_of(*pattern)));
    if (session.json) session.print_json(Json{{"unset", *pattern}});
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> topic_settings_commands() {
  return {{"topic ls", Text::kCliTopicLs, "qiao topic ls", prepare_ls},
          {"topic show", Text::kCliTopicShow, "qiao topic show orders.new", prepare_show},
          {"topic set", Text::kCliTopicSet, "qiao topic set 'orders.>' --age 7d --backlog 10000",
           prepare_set},
          {"topic unset", Text::kCliTopicUnset, "qiao topic unset 'orders.>'", prepare_unset}};
}

}  // namespace qiao::cli
