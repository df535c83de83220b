// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "base/json.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/training/example.h"
#include "learn/training/threads.h"

namespace qiao::learn {

Status run_example_verb(const Session& session, const std::vector<std::string>& words) {
  ExampleOptions options;
  options.language = session.language;
  bool json = false;
  Arguments arguments("train example");
  arguments.add("--base", "NAME|DIR", options.base, Text::kLearnBaseHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--rate", "X", options.rate, Text::kLearnRateHelp);
  arguments.add_flag("--original", options.original, Text::kLearnOriginalHelp);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(0);
  Json lines = Json::array();
  const auto print = [&](const std::string& line) {
    if (json) {
      lines.push_back(line);
    } else {
      std::cout << line << std::endl;
    }
  };
  QIAO_TRY(run_example(options, session.stop, print));
  if (json) std::cout << dump_json({{"lines", lines}}) << "\n";
  return {};
}

}  // namespace qiao::learn
