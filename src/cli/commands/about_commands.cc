// SPDX-License-Identifier: Apache-2.0
// version and config show.
#include "base/i18n.h"
#include "cli/about.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/table.h"
#include "server/config.h"
#include "server/version.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

Action prepare_version(Options&) {
  return [](Session& session) -> Result<int> {
    if (session.json) {
      session.print_json(Json{{"name", "qiao"},
                              {"version", qiao::version()},
                              {"llama", with_llama()},
                              {"compiler", compiler_name()},
                              {"build", build_type()}});
    } else {
      session.terminal.out.line("qiao " + std::string(qiao::version()) +
                                (with_llama() ? " +llama" : " -llama") + " (" + compiler_name() +
                                ", " + build_type() + ")");
    }
    return kExitOk;
  };
}

struct ConfigOptions {
  std::string file;
  bool origin = false;
};

Action prepare_config(Options& options) {
  const auto given = std::make_shared<ConfigOptions>();
  options.flag("--origin", given->origin, Text::kCliOriginHelp);
  options.option("--config", "FILE", given->file, Text::kCliConfigHelp);
  return [given](Session& session) -> Result<int> {
    QIAO_ASSIGN(const ServerConfig config, load_config({given->file, {}}));
    const Json json = qiao::to_json(config, given->origin);
    if (session.json) {
      session.print_json(json);
      return kExitOk;
    }
    Table table({{""}, {""}, {""}});
    for (const auto& [key, item] : json.items()) {
      const Json& value = given->origin ? item["value"] : item;
      const std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
      table.add({key, one_line(text),
                 Cell(given->origin ? json_string(item, "origin").value_or("") : "", Style::kDim)});
    }
    session.terminal.out.write(table.text(session.terminal.out));
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> about_commands() {
  return {{"config show", Text::kCliConfigShow, "qiao config show --origin", prepare_config},
          {"version", Text::kCliVersion, "qiao version --json", prepare_version}};
}

}  // namespace qiao::cli
