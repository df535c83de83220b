// SPDX-License-Identifier: Apache-2.0
// completion: a script for the shell, made from the table of verbs.
#include <algorithm>

#include "base/i18n.h"
#include "base/join.h"
#include "cli/command.h"
#include "cli/exit_status.h"

namespace qiao::cli {
namespace {

struct Words {
  std::string path;                // "", "stream", "stream ls"
  std::vector<std::string> words;  // what may follow it
};

std::vector<std::string> options_of(const Command& command, Session& session) {
  Options options(session);
  const Action action = command.prepare(options);  // holds the variables
  std::vector<std::string> names;
  for (const OptionInfo& info : options.all()) {
    const std::size_t begin = info.names.find("--");
    if (begin != std::string::npos) names.push_back(info.names.substr(begin));
  }
  return names;
}

Words& words_at(std::vector<Words>& tree, const std::string& path) {
  const auto found = std::find_if(tree.begin(), tree.end(),
                                  [&](const Words& words) { return words.path == path; });
  return found == tree.end() ? tree.emplace_back(Words{path, {}}) : *found;
}

std::vector<Words> word_tree(Session& session) {
  std::vector<Words> tree;
  for (const Command& command : all_commands()) {
    if (command.hidden) continue;
    const std::size_t space = command.name.find(' ');
    std::vector<std::string>& first = words_at(tree, "").words;
    const std::string word = command.name.substr(0, space);
    if (std::find(first.begin(), first.end(), word) == first.end()) first.push_back(word);
    if (space != std::string::npos)
      words_at(tree, word).words.push_back(command.name.substr(space + 1));
    tree.push_back({command.name, options_of(command, session)});
  }
  return tree;
}

// Bash and zsh (through bashcompinit) share one function: the longest known path before the
// cursor gives the words.
std::string bash_script(const std::vector<Words>& tree) {
  std::string script =
      "_qiao() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} path=\"\" words i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$path ${COMP_WORDS[i]}\" in\n";
  for (const Words& entry : tree) {
    if (!entry.path.empty())
      script += "      \" " + entry.path + "\") path=\" " + entry.path + "\" ;;\n";
  }
  script +=
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n";
  for (const Words& entry : tree) {
    const std::string path = entry.path.empty() ? "" : " " + entry.path;
    script += "    \"" + path + "\") words=\"" + join(entry.words, " ") + "\" ;;\n";
  }
  return script +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "}\n"
         "complete -F _qiao qiao\n";
}

std::string fish_script(const std::vector<Words>& tree) {
  std::string script = "complete -c qiao -e\n";
  for (const Words& entry : tree) {
    std::string condition = "__fish_use_subcommand";
    if (!entry.path.empty()) {
      condition = "string match -q -r '^qiao " + entry.path + "( |$)' -- (commandline -cp)";
    }
    for (const std::string& word : entry.words) {
      const bool option = word.starts_with("--");
      script += "complete -c qiao -n \"" + condition + "\" " +
                (option ? "-l " + word.substr(2) : "-a " + word) + "\n";
    }
  }
  return script;
}

Action prepare_completion(Options& options) {
  const auto shell = std::make_shared<std::string>();
  options.positional("SHELL", *shell, Text::kCliShellHelp);
  return [shell](Session& session) -> Result<int> {
    const std::vector<Words> tree = word_tree(session);
    std::string script;
    if (*shell == "bash") {
      script = bash_script(tree);
    } else if (*shell == "zsh") {
      script = "#compdef qiao\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(tree);
    } else if (*shell == "fish") {
      script = fish_script(tree);
    } else {
      return invalid_argument("'" + *shell + "' is none of bash, zsh, fish");
    }
    if (session.json) {
      session.print_json(Json{{"shell", *shell}, {"script", script}});
    } else {
      session.terminal.out.write(script);
    }
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> completion_commands() {
  return {
      {"completion", Text::kCliCompletion, "source <(qiao completion bash)", prepare_completion}};
}

}  // namespace qiao::cli
