// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/training/compare.h"

namespace qiao::learn {
namespace {

Result<std::vector<Architecture>> parse_list(std::string_view names) {
  std::vector<Architecture> out;
  while (true) {
    const std::size_t comma = std::min(names.find(','), names.size());
    QIAO_ASSIGN(const Architecture one, parse_architecture(names.substr(0, comma)));
    out.push_back(one);
    if (comma == names.size()) return out;
    names.remove_prefix(comma + 1);
  }
}

void print_table(const std::vector<Contestant>& table) {
  std::printf("%-12s %7s %10s %10s %9s %10s %9s\n", "arch", "width", "weights", "held out",
              "seconds", "tokens/s", "precision");
  for (const Contestant& row : table) {
    std::printf("%-12s %7lld %10lld %10.4f %9.1f %10.0f %9s\n", row.name.c_str(),
                static_cast<long long>(row.width), static_cast<long long>(row.weights),
                row.validation_loss, row.seconds, row.tokens_per_second, row.precision.c_str());
  }
}

}  // namespace

Status run_compare(const Session& session, const std::vector<std::string>& words) {
  CompareOptions options;
  std::string names = "rnn,lstm,transformer";
  Machine machine;
  bool full_precision = false;
  bool json = false;
  Arguments arguments("train compare");
  arguments.add("--text", "FILE", options.each.text, Text::kLearnTextHelp, true);
  arguments.add("--out", "DIR", options.each.out, Text::kLearnCompareOutHelp, true);
  arguments.add("--arch", "A,B,…", names, Text::kLearnCompareArchHelp);
  arguments.add("--weights", "N", options.weights, Text::kLearnWeightsHelp);
  arguments.add("--layers", "N", options.each.shape.layers, Text::kLearnLayersHelp);
  arguments.add("--context", "N", options.each.shape.context, Text::kLearnContextHelp);
  arguments.add("--steps", "N", options.each.steps, Text::kLearnStepsHelp);
  arguments.add("--seed", "N", options.each.seed, Text::kLearnSeedHelp);
  declare(arguments, machine);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  arguments.add_flag("--resume", options.each.resume, Text::kLearnResumeHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  QIAO_ASSIGN(options.architectures, parse_list(names));
  options.each.bfloat16 = !full_precision;
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(machine, progress));
  QIAO_ASSIGN(const auto table, compare(disk, options, progress, session.stop));
  if (json) {
    std::cout << dump_json({{"folder", options.each.out}, {"table", table_json(table)}}) << "\n";
  } else {
    print_table(table);
  }
  progress.note(tr(session.language, Text::kLearnWritten, {options.each.out}));
  return {};
}

}  // namespace qiao::learn
