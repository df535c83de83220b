// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/i18n.h"
#include "base/result.h"
#include "cli/options.h"
#include "cli/session.h"

namespace qiao::cli {

// What a verb does: an exit status (exit_status.h), or the Error that main reports.
using Action = std::function<Result<int>(Session&)>;

// One verb of the command line: a row of all_commands().
struct Command {
  std::string name;  // "pub", "stream ls"
  Text help;
  std::string example;
  // Declares what it takes; the variables live in the Action it returns.
  std::function<Action(Options&)> prepare;
  bool hidden = false;
  // Set where another program reads the words: they go there as they are.
  std::function<Result<int>(Session&, const std::vector<std::string>&)> pass_on = {};
};

// One function for each family of verbs, in the file of its name.
std::vector<Command> topic_commands();           // pub, sub, req
std::vector<Command> stream_commands();          // stream ls, view, peek, replay
std::vector<Command> dlq_commands();             // dlq ls, show, retry, edit, drop
std::vector<Command> topic_settings_commands();  // topic ls, show, set, unset
std::vector<Command> model_commands();           // model pull, ls, ps, rm, verify
std::vector<Command> bundle_commands();          // model promote, rollback
std::vector<Command> shadow_commands();          // model shadow
std::vector<Command> flow_commands();            // flow ls, show, test; validate
std::vector<Command> init_commands();            // init
std::vector<Command> serve_commands();           // serve, run, worker
std::vector<Command> chat_commands();            // chat
std::vector<Command> desk_commands();            // desk
std::vector<Command> why_commands();             // why
std::vector<Command> conversation_commands();    // replay, fork
std::vector<Command> learn_commands();           // train …, eval, distil, …, import
std::vector<Command> doctor_commands();          // doctor
std::vector<Command> data_commands();            // verify, repair
std::vector<Command> bench_commands();           // bench
std::vector<Command> sim_commands();             // sim
std::vector<Command> about_commands();           // version, config show
std::vector<Command> completion_commands();      // completion

// All verbs, in the order of the help.
const std::vector<Command>& all_commands();

// Finds the verb that `arguments` begin with and runs it; help, a typo and a wrong command line
// are answered here. Returns the exit status.
int run_command_line(Session& session, const std::vector<std::string>& arguments);

// Text of `qiao --help`, of a family ("stream") or of one verb.
std::string overview_text(const Session& session);
std::string family_text(const Session& session, const std::string& family);
std::string verb_text(const Session& session, const Command& command, const Options& options);

}  // namespace qiao::cli
