// SPDX-License-Identifier: Apache-2.0
// doctor: is this machine well, and what to do.
#include <algorithm>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/exit_status.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

std::string_view name_of(Health health) {
  return health == Health::kOk ? "ok" : health == Health::kWarn ? "warn" : "fail";
}

void print(Session& session, const Check& check) {
  Output& out = session.terminal.out;
  const Style style = check.health == Health::kOk     ? Style::kGood
                      : check.health == Health::kWarn ? Style::kWarn
                                                      : Style::kBad;
  out.line(out.paint(style, pad_right(name_of(check.health), 4)) + "  " +
           pad_right(check.name, 10) + "  " + printable(check.found));
  if (!check.advice.empty()) out.line("                  → " + check.advice);
}

Action prepare_doctor(Options& options) {
  const auto given = std::make_shared<DoctorOptions>();
  options.option("--listen", "HOST:PORT", given->listen, Text::kCliListenHelp);
  options.flag("--verify", given->verify, Text::kCliVerifyHelp);
  options.server();
  return [given](Session& session) -> Result<int> {
    const std::vector<Check> checks = examine(session, *given);
    Json list = Json::array();
    for (const Check& check : checks) {
      list.push_back(Json{{"name", check.name},
                          {"health", name_of(check.health)},
                          {"found", check.found},
                          {"advice", check.advice}});
      if (!session.json) print(session, check);
    }
    const bool failed = std::any_of(checks.begin(), checks.end(), [](const Check& check) {
      return check.health == Health::kFail;
    });
    if (session.json) session.print_json(Json{{"ok", !failed}, {"checks", list}});
    return failed ? kExitNegative : kExitOk;
  };
}

}  // namespace

std::vector<Command> doctor_commands() {
  return {{"doctor", Text::kCliDoctor, "qiao doctor --verify", prepare_doctor}};
}

}  // namespace qiao::cli
