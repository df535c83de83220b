// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <algorithm>

#include "base/i18n.h"
#include "base/yaml.h"
#include "cli/exit_status.h"

namespace qiao::cli {
namespace {

using Arguments = std::vector<std::string>;

const Command* find_command(const std::string& name) {
  const auto& commands = all_commands();
  const auto found = std::find_if(commands.begin(), commands.end(),
                                  [&](const Command& command) { return command.name == name; });
  return found == commands.end() ? nullptr : &*found;
}

bool is_family(const std::string& word) {
  const auto& commands = all_commands();
  return std::any_of(commands.begin(), commands.end(),
                     [&](const Command& command) { return command.name.starts_with(word + " "); });
}

// The words one may write after `family` ("" for the first word).
Arguments words_after(const std::string& family) {
  const std::string prefix = family.empty() ? "" : family + " ";
  Arguments words;
  for (const Command& command : all_commands()) {
    if (command.hidden || !command.name.starts_with(prefix)) continue;
    const std::string rest = command.name.substr(prefix.size());
    words.push_back(rest.substr(0, rest.find(' ')));
  }
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

int usage_error(Session& session, const std::string& message, const std::string& verb) {
  Output& err = session.terminal.err;
  err.line(err.paint(Style::kBad, session.say(Text::kCliError)) + message);
  err.line(session.say(Text::kCliSeeHelp, {verb.empty() ? "qiao" : "qiao " + verb}));
  return kExitUsage;
}

int unknown_verb(Session& session, const std::string& family, const std::string& word) {
  std::string message =
      session.say(Text::kCliUnknownVerb, {family.empty() ? word : family + " " + word});
  if (const auto near = nearest(word, words_after(family)))
    message += session.say(Text::kCliDidYouMean, {family.empty() ? *near : family + " " + *near});
  return usage_error(session, message, family);
}

bool is_help(const std::string& word) {
  return word == "-h" || word == "--help";
}

// Our help first; the other program's, where it is there, adds its options.
int run_elsewhere(Session& session, const Command& command, const Arguments& arguments) {
  const bool help = std::any_of(arguments.begin(), arguments.end(), is_help);
  if (help) {
    Options options(session);
    session.terminal.out.write(verb_text(session, command, options) + "\n");
  }
  const Result<int> done = command.pass_on(session, arguments);
  if (help) return kExitOk;
  return done ? *done : report(session, done.error());
}

int run_verb(Session& session, const Command& command, const Arguments& arguments) {
  if (command.pass_on) return run_elsewhere(session, command, arguments);
  Options options(session);
  const Action action = command.prepare(options);
  const Status parsed = options.parse(arguments);
  if (options.help_wanted()) {
    session.terminal.out.write(verb_text(session, command, options));
    return kExitOk;
  }
  if (!parsed) return usage_error(session, parsed.error().message, command.name);
  const Result<int> done = action(session);
  return done ? *done : report(session, done.error());
}

int run_in_family(Session& session, const std::string& family, const Arguments& rest) {
  if (rest.empty() || is_help(rest.front())) {
    session.terminal.out.write(family_text(session, family));
    return rest.empty() ? kExitUsage : kExitOk;
  }
  const Command* command = find_command(family + " " + rest.front());
  if (command == nullptr) return unknown_verb(session, family, rest.front());
  return run_verb(session, *command, Arguments(rest.begin() + 1, rest.end()));
}

// "qiao help stream ls" is "qiao stream ls --help".
Arguments without_help_word(Arguments arguments) {
  if (arguments.empty() || arguments.front() != "help") return arguments;
  arguments.erase(arguments.begin());
  arguments.emplace_back("--help");
  return arguments;
}

}  // namespace

const std::vector<Command>& all_commands() {
  static const std::vector<Command> kCommands = [] {
    std::vector<Command> all;
    for (auto* family :
         {&serve_commands,          &chat_commands,   &desk_commands,         &init_commands,
          &flow_commands,           &topic_commands,  &stream_commands,       &dlq_commands,
          &topic_settings_commands, &why_commands,    &conversation_commands, &model_commands,
          &bundle_commands,         &shadow_commands, &learn_commands,        &doctor_commands,
          &data_commands,           &bench_commands,  &sim_commands,          &about_commands,
          &completion_commands}) {
      for (Command& command : family()) all.push_back(std::move(command));
    }
    return all;
  }();
  return kCommands;
}

int run_command_line(Session& session, const std::vector<std::string>& arguments) {
  // What stands before the verb belongs to it: "qiao --lang zh pub …".
  auto verb = arguments.begin();
  while (verb != arguments.end() && (*verb == "--lang" || *verb == "--json"))
    verb += *verb == "--lang" && verb + 1 != arguments.end() ? 2 : 1;
  Arguments rest = without_help_word(Arguments(verb, arguments.end()));
  if (rest.empty() || is_help(rest.front())) {
    session.terminal.out.write(overview_text(session));
    return rest.empty() ? kExitUsage : kExitOk;
  }
  const std::string word = rest.front() == "--version" ? "version" : rest.front();
  rest.erase(rest.begin());
  const bool family = is_family(word);
  // In a family the second word is part of the verb's name.
  rest.insert(rest.begin() + (family && !rest.empty() ? 1 : 0), arguments.begin(), verb);
  if (family) return run_in_family(session, word, rest);
  const Command* command = find_command(word);
  return command == nullptr ? unknown_verb(session, "", word) : run_verb(session, *command, rest);
}

}  // namespace qiao::cli
