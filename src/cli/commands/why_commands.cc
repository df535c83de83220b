// SPDX-License-Identifier: Apache-2.0
// why: the route of one message, explained.
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/why_text.h"

namespace qiao::cli {
namespace {

Action prepare_why(Options& options) {
  const auto id = std::make_shared<std::string>();
  options.positional("MESSAGE-ID", *id, Text::kCliMessageIdHelp);
  options.server();
  return [id](Session& session) -> Result<int> {
    QIAO_ASSIGN(const Client client, session.client());
    QIAO_ASSIGN(const Json why, ask_why(session, client, *id));
    if (session.json) {
      session.print_json(why);
    } else {
      session.terminal.out.write(why_text(session, why));
    }
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> why_commands() {
  return {{"why", Text::kCliWhy, "qiao why 01JD3Q8Z7W5V0C9K2M4N6P8R1T", prepare_why}};
}

}  // namespace qiao::cli
