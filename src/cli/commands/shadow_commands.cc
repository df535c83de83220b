// SPDX-License-Identifier: Apache-2.0
// model shadow: a version that is asked beside the one that is served, and what came of it.
#include <cstdio>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/commands/bundle_place.h"
#include "cli/exit_status.h"
#include "cli/table.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

struct ShadowOptions {
  std::string name;
  std::string bundle;
  std::int64_t percent = 100;
  bool stop = false;
};

std::string path_of(const Session& session, const std::string& name) {
  const char* language = session.language == Language::kChinese ? "zh" : "en";
  return "/v1/models/" + url_escape(name) + "/shadow?lang=" + language;
}

Json part(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? Json() : *found;
}

std::string text_in(const Json& object, const char* key) {
  return one_line(json_string(object, key).value_or(""));
}

std::string count_in(const Json& object, const char* key) {
  return std::to_string(json_integer(object, key).value_or(0));
}

// "–" for what was not measured.
std::string number_in(const Json& object, const char* key, const char* form, double times = 1) {
  const auto number = json_number(object, key);
  if (!number) return "–";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, form, *number * times);
  return buffer;
}

void note_labels(Session& session, const Json& labels, const std::string& version) {
  std::string all;
  for (const Json& label : labels) {
    if (label.is_string()) all += (all.empty() ? "" : ", ") + one_line(label.get<std::string>());
  }
  if (!all.empty()) session.note(Text::kCliShadowLabels, {version, all});
}

// What people should know before they trust the figures.
void note_differences(Session& session, const Json& report) {
  const Json current = part(report, "current");
  const Json candidate = part(report, "candidate");
  const std::string served = text_in(current, "version");
  const std::string shadow = text_in(candidate, "version");
  note_labels(session, part(report, "labels_only_current"), served);
  note_labels(session, part(report, "labels_only_candidate"), shadow);
  const std::string task = text_in(candidate, "task");
  const std::string served_task = text_in(current, "task");
  if (task != served_task) {
    session.note(Text::kCliShadowTask, {shadow, task, served, served_task});
  }
  const std::string unfit = text_in(report, "unfit");
  if (!unfit.empty()) session.note(Text::kCliShadowUnfit, {unfit});
}

void print_who(Session& session, const Json& report) {
  session.terminal.out.line(
      session.say(Text::kCliShadowAsked,
                  {text_in(report, "bundle"), text_in(part(report, "candidate"), "version"),
                   text_in(part(report, "current"), "version"), count_in(report, "percent")}));
}

void print_versions(Session& session, const Json& report) {
  Table table({{session.say(Text::kCliColumnVersion)},
               {session.say(Text::kCliColumnConfidence), Align::kRight},
               {"p50 ms", Align::kRight},
               {"p99 ms", Align::kRight}});
  for (const char* side : {"current", "candidate"}) {
    const Json figures = part(report, side);
    table.add({text_in(figures, "version"), number_in(figures, "confidence", "%.3f"),
               number_in(figures, "p50_ms", "%.1f"), number_in(figures, "p99_ms", "%.1f")});
  }
  session.terminal.out.write(table.text(session.terminal.out));
}

void print_disagreements(Session& session, const Json& report) {
  Table table({{session.say(Text::kCliColumnCurrent)},
               {session.say(Text::kCliColumnCandidate)},
               {session.say(Text::kCliColumnTimes), Align::kRight},
               {session.say(Text::kCliColumnMessage)}});
  const auto label = [&](const Json& row, const char* key) {
    const std::string text = text_in(row, key);
    return text.empty() ? session.say(Text::kCliShadowNoAnswer) : text;
  };
  for (const Json& row : part(report, "disagreements")) {
    table.add({label(row, "current"), label(row, "candidate"), count_in(row, "count"),
               text_in(row, "message")});
  }
  if (!table.empty()) session.terminal.out.write(table.text(session.terminal.out));
  if (json_integer(report, "disagreements_left_out").value_or(0) > 0) {
    session.terminal.out.line(
        session.say(Text::kCliShadowLeftOut, {count_in(report, "disagreements_left_out")}));
  }
}

void print_report(Session& session, const Json& report) {
  print_who(session, report);
  session.terminal.out.line(
      session.say(Text::kCliShadowAgree,
                  {count_in(report, "compared"), number_in(report, "agreement", "%.1f %%", 100),
                   count_in(report, "skipped"), count_in(report, "failed")}));
  print_versions(session, report);
  print_disagreements(session, report);
  const std::string failure = text_in(report, "failure");
  if (!failure.empty()) session.note(Text::kCliShadowFailure, {failure});
  note_differences(session, report);
}

Result<int> begin(Session& session, const Client& client, const ShadowOptions& given) {
  const Json body{{"bundle", bundle_place(given.bundle)}, {"percent", given.percent}};
  QIAO_ASSIGN(const Json report,
              client.call("POST", path_of(session, given.name), body, kLoadBundleMs));
  if (session.json) {
    session.print_json(report);
    return kExitOk;
  }
  print_who(session, report);
  const std::string replaced = text_in(report, "replaced");
  if (!replaced.empty()) session.note(Text::kCliShadowReplaced, {replaced});
  note_differences(session, report);
  session.note(Text::kCliShadowNext, {given.name, text_in(part(report, "candidate"), "version")});
  return kExitOk;
}

Result<int> show(Session& session, const Client& client, const ShadowOptions& given) {
  QIAO_ASSIGN(const Json report,
              client.call(given.stop ? "DELETE" : "GET", path_of(session, given.name)));
  if (session.json) {
    session.print_json(report);
    return kExitOk;
  }
  if (given.stop) session.note(Text::kCliShadowOver);
  print_report(session, report);
  return kExitOk;
}

Action prepare_shadow(Options& options) {
  const auto given = std::make_shared<ShadowOptions>();
  options.positional("NAME", given->name, Text::kCliModelBundleHelp);
  options.positional("BUNDLE", given->bundle, Text::kCliModelShadowWhatHelp, false);
  options.option("--percent", "N", given->percent, Text::kCliModelShadowPercentHelp);
  options.flag("--stop", given->stop, Text::kCliModelShadowStopHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    if (given->stop && !given->bundle.empty()) {
      return invalid_argument(session.say(Text::kCliShadowStopAlone));
    }
    QIAO_ASSIGN(const Client client, session.client());
    return given->bundle.empty() ? show(session, client, *given) : begin(session, client, *given);
  };
}

}  // namespace

std::vector<Command> shadow_commands() {
  return {{"model shadow", Text::kCliModelShadow,
           "qiao model shadow intents ./intents --percent 20", prepare_shadow}};
}

}  // namespace qiao::cli
