// SPDX-License-Identifier: Apache-2.0
// stream ls, view, peek, replay: what topics hold. Nothing here consumes a message.
#include <algorithm>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/message_text.h"
#include "cli/table.h"
#include "message/subject.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kPeekCount = 20;
constexpr std::size_t kPageCount = 500;  // messages asked for at once

struct StreamOptions {
  std::string pattern;
  std::int64_t from = 0;
  std::int64_t limit = 0;
  std::string to;
};

std::string number_in(const Json& object, std::string_view key) {
  return std::to_string(json_integer(object, key).value_or(0));
}

Result<Json> topics_of(const Client& client) {
  QIAO_ASSIGN(Json json, client.get("/v1/topics"));
  if (!json.contains("topics")) return internal("the server's answer has no topics");
  return json;
}

Action prepare_ls(Options& options) {
  options.server();
  return [](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json json, topics_of(client));
    if (session.json) {
      session.print_json(json);
      return kExitOk;
    }
    Table table({{session.say(Text::kCliColumnSubject)},
                 {session.say(Text::kCliColumnMessages), Align::kRight},
                 {session.say(Text::kCliColumnFirst), Align::kRight},
                 {session.say(Text::kCliColumnLast), Align::kRight}});
    for (const Json& topic : json["topics"]) {
      table.add({one_line(json_string(topic, "subject").value_or("")), number_in(topic, "messages"),
                 number_in(topic, "first"), number_in(topic, "last")});
    }
    if (table.empty()) {
      session.note(Text::kCliNoTopics);
    } else {
      session.terminal.out.write(table.text(session.terminal.out));
    }
    return kExitOk;
  };
}

// The groups whose pattern has this subject in it.
Result<Json> groups_of(const Client& client, const std::string& subject) {
  QIAO_ASSIGN(const Json json, client.get("/v1/groups"));
  Json found = Json::array();
  if (!json.contains("groups")) return found;
  for (const Json& group : json["groups"]) {
    const auto pattern = json_string(group, "pattern");
    if (pattern && validate_pattern(*pattern) && matches(*pattern, subject)) found.push_back(group);
  }
  return found;
}

void print_view(Session& session, const Json& view) {
  Output& out = session.terminal.out;
  Table facts({{""}, {""}});
  facts.add({session.say(Text::kCliColumnSubject), json_string(view, "subject").value_or("")});
  facts.add({session.say(Text::kCliColumnMessages), number_in(view, "messages")});
  facts.add({session.say(Text::kCliColumnFirst), number_in(view, "first")});
  facts.add({session.say(Text::kCliColumnLast), number_in(view, "last")});
  out.write(facts.text(out));
  if (view["groups"].empty()) return;
  Table groups({{session.say(Text::kCliColumnGroup)},
                {session.say(Text::kCliColumnPattern)},
                {session.say(Text::kCliColumnWaiting), Align::kRight},
                {session.say(Text::kCliColumnLeased), Align::kRight},
                {session.say(Text::kCliColumnAcked), Align::kRight}});
  for (const Json& group : view["groups"]) {
    groups.add({one_line(json_string(group, "name").value_or("")),
                one_line(json_string(group, "pattern").value_or("")), number_in(group, "waiting"),
                number_in(group, "leased"), number_in(group, "acked")});
  }
  out.write("\n" + groups.text(out));
}

Action prepare_view(Options& options) {
  const auto given = std::make_shared<StreamOptions>();
  options.positional("SUBJECT", given->pattern, Text::kCliSubjectHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_TRY(validate_subject(given->pattern));
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json json, topics_of(client));
    const Json& topics = json["topics"];
    const auto topic = std::find_if(topics.begin(), topics.end(), [&](const Json& one) {
      return json_string(one, "subject") == given->pattern;
    });
    if (topic == topics.end()) return not_found("there is no topic " + given->pattern);
    Json view = *topic;
    QIAO_ASSIGN(view["groups"], groups_of(client, given->pattern));
    if (session.json) {
      session.print_json(view);
    } else {
      print_view(session, view);
    }
    return kExitOk;
  };
}

// Reads kept messages page by page; `take` says false when it has enough.
Status read_all(const Client& client, const std::string& pattern, std::uint64_t from,
                const std::function<Result<bool>(const ReceivedMessage&)>& take) {
  while (true) {
    QIAO_ASSIGN(const MessagePage page, client.read(pattern, from, kPageCount));
    for (const ReceivedMessage& received : page.messages) {
      QIAO_ASSIGN(const bool more, take(received));
      if (!more) return {};
    }
    if (page.messages.empty() || page.next <= from) return {};
    from = page.next;
  }
}

Action prepare_peek(Options& options) {
  const auto given = std::make_shared<StreamOptions>();
  given->limit = kPeekCount;
  options.positional("PATTERN", given->pattern, Text::kCliPatternHelp);
  options.option("--from", "OFFSET", given->from, Text::kCliFromHelp);
  options.option("-n,--limit", "N", given->limit, Text::kCliLimitHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    std::int64_t seen = 0;
    const auto take = [&](const ReceivedMessage& received) -> Result<bool> {
      print_message(session, received);
      return ++seen < given->limit;
    };
    const auto from = static_cast<std::uint64_t>(std::max<std::int64_t>(given->from, 0));
    QIAO_TRY(read_all(client, given->pattern, from, take));
    if (seen == 0) session.note(Text::kCliNoMessages);
    return kExitOk;
  };
}

// The copy has an id made of the place it is copied from: the same replay again adds nothing.
Message copy_of(const ReceivedMessage& received, const std::string& to) {
  Message copy = received.message;
  copy.subject = to;
  copy.id = "replay." + std::to_string(received.offset) + "." + to;
  copy.id.resize(std::min(copy.id.size(), kIdBytesMax));
  // A person wants it: it begins anew and has no cause.
  copy.cause.clear();
  copy.chain.clear();
  if (copy.headers.size() < kHeadersMax) copy.headers["x-replay-of"] = received.message.id;
  copy.time_ms = 0;
  copy.deadline_ms = 0;
  return copy;
}

Action prepare_replay(Options& options) {
  const auto given = std::make_shared<StreamOptions>();
  options.positional("PATTERN", given->pattern, Text::kCliPatternHelp);
  options.option("--to", "SUBJECT", given->to, Text::kCliReplayToHelp);
  options.option("--from", "OFFSET", given->from, Text::kCliFromHelp);
  options.option("-n,--limit", "N", given->limit, Text::kCliLimitHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    QIAO_TRY(validate_subject(given->to).map_error(
        [](Error error) { return std::move(error).with("--to names the subject to publish to"); }));
    if (validate_pattern(given->pattern) && matches(given->pattern, given->to))
      return invalid_argument("--to " + given->to + " is inside " + given->pattern +
                              ": the replay would feed on itself");
    QIAO_ASSIGN(const Client client, session.client());
    std::int64_t done = 0;
    std::int64_t duplicates = 0;
    const auto take = [&](const ReceivedMessage& received) -> Result<bool> {
      QIAO_ASSIGN(const Accepted accepted, client.publish(copy_of(received, given->to)));
      duplicates += accepted.duplicate ? 1 : 0;
      return ++done != given->limit;
    };
    const auto from = static_cast<std::uint64_t>(std::max<std::int64_t>(given->from, 0));
    QIAO_TRY(read_all(client, given->pattern, from, take));
    if (session.json) {
      session.print_json(Json{{"replayed", done}, {"duplicates", duplicates}});
    } else {
      session.terminal.out.line(session.say(
          Text::kCliReplayed, {std::to_string(done), given->to, std::to_string(duplicates)}));
    }
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> stream_commands() {
  return {{"stream ls", Text::kCliStreamLs, "qiao stream ls", prepare_ls},
          {"stream view", Text::kCliStreamView, "qiao stream view support.in", prepare_view},
          {"stream peek", Text::kCliStreamPeek, "qiao stream peek 'support.>' -n 5", prepare_peek},
          {"stream replay", Text::kCliStreamReplay,
           "qiao stream replay support.in --to test.in --from 100", prepare_replay}};
}

}  // namespace qiao::cli
