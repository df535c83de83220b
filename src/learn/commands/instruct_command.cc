// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/training/instruct.h"

namespace qiao::learn {
namespace {

void declare(Arguments& arguments, InstructOptions& options) {
  arguments.add("--base", "NAME|DIR", options.base, Text::kLearnBaseHelp, true);
  arguments.add("--train", "FILE", options.train, Text::kLearnConversationsHelp, true);
  arguments.add("--out", "BUNDLE", options.out, Text::kLearnOutHelp, true);
  arguments.add("--dev", "FILE", options.dev, Text::kLearnDevConversationsHelp);
  arguments.add("--rank", "N", options.lora.rank, Text::kLearnRankHelp);
  arguments.add("--alpha", "X", options.lora.alpha, Text::kLearnAlphaHelp);
  arguments.add("--epochs", "N", options.epochs, Text::kLearnRoundsHelp);
  arguments.add("--batch", "N", options.batch, Text::kLearnInstructBatchHelp);
  arguments.add("--at-once", "N", options.at_once, Text::kLearnAtOnceHelp);
  arguments.add("--rate", "X", options.rate, Text::kLearnRateHelp);
  arguments.add("--warmup", "X", options.warmup, Text::kLearnWarmupHelp);
  arguments.add("--dropout", "X", options.lora.dropout, Text::kLearnDropoutHelp);
  arguments.add("--tokens", "N", options.tokens, Text::kLearnTokensHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--stop-after", "N", options.stop_after, Text::kLearnStopAfterHelp);
  arguments.add_flag("--resume", options.resume, Text::kLearnResumeHelp);
}

std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> out;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    if (comma > 0) out.emplace_back(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return out;
}

}  // namespace

Status run_instruct(const Session& session, const std::vector<std::string>& words) {
  InstructOptions options;
  std::string targets;
  Machine machine;
  bool full_precision = false;
  Arguments arguments("train instruct");
  declare(arguments, options);
  arguments.add("--targets", "A,B,…", targets, Text::kLearnTargetsHelp);
  declare(arguments, machine);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  if (!targets.empty()) options.lora.targets = split(targets);
  options.bfloat16 = !full_precision;
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(machine, progress));
  QIAO_ASSIGN(Json card, instruct(disk, options, progress, session.stop));
  card.erase("curve");
  std::cout << dump_json(card) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

}  // namespace qiao::learn
