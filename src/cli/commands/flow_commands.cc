// SPDX-License-Identifier: Apache-2.0
// flow ls, flow show: the flows of a server. flow test, validate: the folder of one.
#include <algorithm>
#include <cstdio>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/local_models.h"
#include "cli/table.h"
#include "flow/config/flow_config.h"
#include "flow/replay/script.h"
#include "text/display_width.h"
#include "understand/confusions.h"

namespace qiao::cli {
namespace {

constexpr std::size_t kConfusionsShown = 10;

std::string text_in(const Json& object, std::string_view key) {
  return one_line(json_string(object, key).value_or(""));
}

std::string in_language(const Session& session, const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  return text_in(*found, session.language == Language::kChinese ? "zh" : "en");
}

std::string joined(const Json& list) {
  std::string text;
  for (const Json& item : list)
    if (item.is_string()) text += (text.empty() ? "" : ", ") + item.get<std::string>();
  return text;
}

Action prepare_ls(Options& options) {
  options.server();
  return [](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json json, client.get("/v1/flows"));
    if (session.json) {
      session.print_json(json);
      return kExitOk;
    }
    Table table({{session.say(Text::kCliColumnFlow)},
                 {session.say(Text::kCliColumnInput)},
                 {session.say(Text::kCliColumnTitle)},
                 {session.say(Text::kCliColumnLacks)}});
    for (const Json& flow : json.value("flows", Json::array())) {
      table.add({text_in(flow, "name"), text_in(flow, "input"), in_language(session, flow, "title"),
                 Cell(joined(flow.value("lacks", Json::array())), Style::kWarn)});
    }
    if (table.empty()) {
      session.note(Text::kCliNoFlows);
    } else {
      session.terminal.out.write(table.text(session.terminal.out));
    }
    return kExitOk;
  };
}

std::string route_rule(const Json& route) {
  const std::string tier = text_in(route, "tier");
  return route.contains("like") ? tier + ": " + joined(route["like"]) : tier;
}

void print_flow(Session& session, const Json& flow) {
  Output& out = session.terminal.out;
  out.line(out.paint(Style::kBold, text_in(flow, "name")) + "  " +
           in_language(session, flow, "title"));
  out.line(text_in(flow, "input") + " → " + text_in(flow, "output") + "\n");
  Table routes({{session.say(Text::kCliColumnRoute)},
                {session.say(Text::kCliColumnTo)},
                {session.say(Text::kCliColumnRule)}});
  for (const Json& route : flow.value("routes", Json::array()))
    routes.add({text_in(route, "name"), text_in(route, "to"), one_line(route_rule(route))});
  out.write(routes.text(out) + "\n");
  Table agents({{session.say(Text::kCliColumnAgent)},
                {session.say(Text::kCliColumnKind)},
                {session.say(Text::kCliColumnModel)}});
  for (const Json& agent : flow.value("agents", Json::array()))
    agents.add({text_in(agent, "name"), text_in(agent, "kind"), text_in(agent, "model")});
  out.write(agents.text(out));
}

Action prepare_show(Options& options) {
  const auto name = std::make_shared<std::string>();
  options.positional("FLOW", *name, Text::kCliFlowNameHelp);
  options.server();
  return [name](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json flow, client.get("/v1/flows/" + url_escape(*name)));
    if (session.json) {
      session.print_json(flow);
    } else {
      print_flow(session, flow);
    }
    return kExitOk;
  };
}

// -- flow test

using Verdict = ScriptOutcome::Verdict;

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed:
      return "passed";
    case Verdict::kFailed:
      return "failed";
    case Verdict::kSkipped:
      return "skipped";
  }
  return "failed";
}

void print_outcome(Session& session, const ScriptOutcome& outcome) {
  Output& out = session.terminal.out;
  const bool failed = outcome.verdict == Verdict::kFailed;
  const Style style = failed                                 ? Style::kBad
                      : outcome.verdict == Verdict::kSkipped ? Style::kWarn
                                                             : Style::kGood;
  const Text word = failed                                 ? Text::kCliFailed
                    : outcome.verdict == Verdict::kSkipped ? Text::kCliSkipped
                                                           : Text::kCliPassed;
  char ms[32];
  std::snprintf(ms, sizeof ms, "%.0f ms", outcome.ms);
  out.line(out.paint(style, pad_right(session.say(word), 8)) + one_line(outcome.name) + "  " +
           out.paint(Style::kDim, ms));
  for (const std::string& detail : outcome.details) out.line("         " + printable(detail));
}

std::size_t count(const std::vector<ScriptOutcome>& outcomes, Verdict verdict) {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(),
                    [&](const ScriptOutcome& outcome) { return outcome.verdict == verdict; }));
}

Json outcomes_json(const std::string& flow, const std::vector<ScriptOutcome>& outcomes) {
  Json json{{"flow", flow},
            {"passed", count(outcomes, Verdict::kPassed)},
            {"failed", count(outcomes, Verdict::kFailed)},
            {"skipped", count(outcomes, Verdict::kSkipped)},
            {"scripts", Json::array()}};
  for (const ScriptOutcome& outcome : outcomes) {
    json["scripts"].push_back(Json{{"name", outcome.name},
                                   {"file", outcome.file},
                                   {"verdict", name_of(outcome.verdict)},
                                   {"details", outcome.details},
                                   {"ms", outcome.ms}});
  }
  return json;
}

struct TestOptions {
  std::string directory = ".";
  std::string model = "scripted";
};

Action prepare_test(Options& options) {
  const auto given = std::make_shared<TestOptions>();
  options.positional("DIR", given->directory, Text::kCliFlowDirHelp, false);
  options.option("--model", "NAME", given->model, Text::kCliTestModelHelp);
  return [given](Session& session) -> Result<int> {
    const bool scripted = given->model == "scripted";
    LocalModels models;
    QIAO_TRY(models.open(session, scripted ? "none" : given->model));
    ScriptOptions script;
    script.scripted = scripted;
    QIAO_ASSIGN(const FlowConfig flow, load_flow(given->directory));
    QIAO_TRY(models.open_bundles(flow));
    script.bundles = &models.bundles();
    const auto on_outcome = [&session](const ScriptOutcome& outcome) {
      if (!session.json) print_outcome(session, outcome);
    };
    QIAO_ASSIGN(const std::vector<ScriptOutcome> outcomes,
                run_scripts(given->directory, models.set(), script, on_outcome));
    const std::size_t failed = count(outcomes, Verdict::kFailed);
    if (session.json) {
      session.print_json(outcomes_json(given->directory, outcomes));
    } else {
      session.terminal.out.line(
          session.say(Text::kCliTestCounts,
                      {std::to_string(count(outcomes, Verdict::kPassed)), std::to_string(failed),
                       std::to_string(count(outcomes, Verdict::kSkipped))}));
    }
    return failed == 0 ? kExitOk : kExitNegative;
  };
}

// -- validate

using Labels = std::map<std::string, std::vector<std::string>>;

// Examples of intents are compared with each other, and those of routes among themselves.
Result<std::vector<Confusion>> confusions_of(const FlowConfig& config, const Encoders& encoders) {
  Labels likes;
  for (const Route& route : config.routes.routes)
    if (!route.like.empty()) likes[route.name] = route.like;
  QIAO_ASSIGN(std::vector<Confusion> all, find_confusions(config.intents, encoders));
  QIAO_ASSIGN(const std::vector<Confusion> more, find_confusions(likes, encoders));
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Json confusion_json(const Confusion& confusion) {
  return Json{{"label", confusion.label},     {"example", confusion.example},
              {"other", confusion.other},     {"own", confusion.own},
              {"against", confusion.against}, {"neighbour", confusion.neighbour}};
}

void print_faults(Session& session, const std::string& faults) {
  if (session.json) {
    Json list = Json::array();
    for (std::size_t begin = 0; begin < faults.size();) {
      const std::size_t end = std::min(faults.find('\n', begin), faults.size());
      list.push_back(faults.substr(begin, end - begin));
      begin = end + 1;
    }
    return session.print_json(Json{{"valid", false}, {"faults", list}});
  }
  Output& err = session.terminal.err;
  err.line(printable(faults));
  session.note(Text::kCliInvalid);
}

void print_valid(Session& session, const FlowConfig& config,
                 const std::vector<Confusion>& confusions) {
  if (session.json) {
    Json warnings = Json::array();
    for (const Confusion& confusion : confusions) warnings.push_back(confusion_json(confusion));
    return session.print_json(Json{{"valid", true},
                                   {"flow", config.name},
                                   {"routes", config.routes.routes.size()},
                                   {"agents", config.agents.size()},
                                   {"knowledge", config.knowledge.entries.size()},
                                   {"warnings", warnings}});
  }
  for (std::size_t i = 0; i < std::min(confusions.size(), kConfusionsShown); ++i) {
    const Confusion& confusion = confusions[i];
    session.note(Text::kCliConfusion,
                 {confusion.example, confusion.label, confusion.other, confusion.neighbour});
  }
  if (confusions.size() > kConfusionsShown) {
    session.note(Text::kCliMoreConfusions, {std::to_string(confusions.size() - kConfusionsShown)});
  }
  session.terminal.out.line(session.say(
      Text::kCliValid,
      {config.name, std::to_string(config.routes.routes.size()),
       std::to_string(config.agents.size()), std::to_string(config.knowledge.entries.size())}));
}

struct ValidateOptions {
  std::string directory = ".";
  bool encoders = false;
};

Action prepare_validate(Options& options) {
  const auto given = std::make_shared<ValidateOptions>();
  options.positional("DIR", given->directory, Text::kCliFlowDirHelp, false);
  options.flag("--encoders", given->encoders, Text::kCliEncodersHelp);
  return [given](Session& session) -> Result<int> {
    auto config = load_flow(given->directory);
    if (!config && config.error().code == Code::kInvalidArgument) {
      print_faults(session, config.error().message);
      return kExitNegative;
    }
    if (!config) return std::move(config.error());
    LocalModels models;
    if (given->encoders) QIAO_TRY(models.open(session, "none"));
    QIAO_ASSIGN(const std::vector<Confusion> confusions, confusions_of(*config, models.encoders()));
    print_valid(session, *config, confusions);
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> flow_commands() {
  return {
      {"validate", Text::kCliValidate, "qiao validate examples/customer-service", prepare_validate},
      {"flow ls", Text::kCliFlowLs, "qiao flow ls", prepare_ls},
      {"flow show", Text::kCliFlowShow, "qiao flow show customer-service", prepare_show},
      {"flow test", Text::kCliFlowTest, "qiao flow test examples/customer-service --json",
       prepare_test}};
}

}  // namespace qiao::cli
