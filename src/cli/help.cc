// SPDX-License-Identifier: Apache-2.0
// The texts of --help.
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/table.h"

namespace qiao::cli {
namespace {

std::string heading(const Session& session, Text title) {
  return session.terminal.out.paint(Style::kBold, session.say(title)) + "\n";
}

// Verbs with what they do. A family has one row: "stream ls|view|peek|replay" is too wide.
std::string list_of(const Session& session, const std::string& prefix) {
  Table table({{""}, {""}});
  for (const Command& command : all_commands()) {
    if (!command.hidden && command.name.starts_with(prefix))
      table.add({"  " + command.name, session.say(command.help)});
  }
  return table.text(session.terminal.out);
}

std::string shown_name(const OptionInfo& info) {
  if (info.positional) return info.names + info.value;
  std::string names = info.names;
  if (const std::size_t comma = names.find(','); comma != std::string::npos)
    names.insert(comma + 1, " ");
  return info.value.empty() ? names : names + " " + info.value;
}

std::string usage_line(const Command& command, const Options& options) {
  std::string line = "qiao " + command.name;
  for (const OptionInfo& info : options.all()) {
    if (!info.positional) continue;
    const std::string word = info.names + info.value;
    line += info.required ? " " + word : " [" + word + "]";
  }
  return line + " [--…]";
}

std::string options_table(const Session& session, const Options& options, bool positional) {
  Table table({{""}, {""}});
  for (const OptionInfo& info : options.all()) {
    if (info.positional == positional) table.add({"  " + shown_name(info), info.help});
  }
  return table.text(session.terminal.out);
}

}  // namespace

std::string overview_text(const Session& session) {
  return session.say(Text::kCliAbout) + "\n\n" + heading(session, Text::kCliUsage) +
         "  qiao [--lang en|zh] " + session.say(Text::kCliVerbWord) + " …\n\n" +
         heading(session, Text::kCliVerbs) + list_of(session, "") + "\n" +
         session.say(Text::kCliSeeVerbHelp) + "\n";
}

std::string family_text(const Session& session, const std::string& family) {
  return heading(session, Text::kCliVerbs) + list_of(session, family + " ") + "\n" +
         session.say(Text::kCliSeeVerbHelp) + "\n";
}

std::string verb_text(const Session& session, const Command& command, const Options& options) {
  std::string text = session.say(command.help) + "\n\n" + heading(session, Text::kCliUsage) + "  " +
                     usage_line(command, options) + "\n\n";
  const std::string positionals = options_table(session, options, true);
  if (!positionals.empty()) text += positionals + "\n";
  text += heading(session, Text::kCliOptions) + options_table(session, options, false);
  if (!command.example.empty())
    text += "\n" + heading(session, Text::kCliExample) + "  " + command.example + "\n";
  return text;
}

}  // namespace qiao::cli
