// SPDX-License-Identifier: Apache-2.0
#include "cli/session.h"

#include "base/i18n.h"
#include "cli/exit_status.h"
#include "text/display_width.h"

namespace qiao::cli {

int report(Session& session, const Error& error) {
  Output& err = session.terminal.err;
  if (session.json) {
    err.line(dump_json(error_json(error)));
  } else {
    err.line(err.paint(Style::kBad, session.say(Text::kCliError)) + printable(error.message));
  }
  return exit_status(error.code);
}

}  // namespace qiao::cli
