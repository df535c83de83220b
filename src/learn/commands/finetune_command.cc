// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/files/bundle.h"
#include "learn/training/finetune.h"

namespace qiao::learn {
namespace {

void declare(Arguments& arguments, FinetuneOptions& options, std::string& task) {
  arguments.add("--base", "NAME|DIR", options.base, Text::kLearnBaseHelp, true);
  arguments.add("--train", "FILE", options.train, Text::kLearnTrainHelp, true);
  arguments.add("--dev", "FILE", options.dev, Text::kLearnDevHelp, true);
  arguments.add("--out", "BUNDLE", options.out, Text::kLearnOutHelp, true);
  arguments.add("--task", "classify|regress|tag|pair|heads", task, Text::kLearnTaskHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--seeds", "N", options.seeds, Text::kLearnSeedsHelp);
  arguments.add("--folds", "N", options.folds, Text::kLearnFoldsHelp);
  arguments.add("--epochs", "N", options.epochs, Text::kLearnEpochsHelp);
  arguments.add("--contrast", "N", options.contrast, Text::kLearnContrastHelp);
  arguments.add("--lora", "RANK", options.lora, Text::kLearnLoraHelp);
  arguments.add("--batch", "N", options.batch, Text::kLearnBatchHelp);
  arguments.add("--rate", "X", options.rate, Text::kLearnRateByTaskHelp);
  arguments.add("--head-rate", "X", options.head_rate, Text::kLearnHeadRateHelp);
  arguments.add("--layer-decay", "X", options.layer_decay, Text::kLearnLayerDecayHelp);
  arguments.add("--warmup", "X", options.warmup, Text::kLearnWarmupHelp);
  arguments.add("--dropout", "X", options.dropout, Text::kLearnDropoutHelp);
  arguments.add("--smoothing", "X", options.smoothing, Text::kLearnSmoothingHelp);
  arguments.add("--adversary", "X", options.adversary, Text::kLearnAdversaryHelp);
  arguments.add("--r-drop", "X", options.r_drop, Text::kLearnRDropHelp);
  arguments.add("--tokens", "N", options.tokens_max, Text::kLearnTokensHelp);
  arguments.add("--stop-after", "N", options.stop_after, Text::kLearnStopAfterHelp);
  arguments.add_flag("--class-weights", options.class_weights, Text::kLearnClassWeightsHelp);
  arguments.add_flag("--resume", options.resume, Text::kLearnResumeHelp);
}

}  // namespace

Status run_finetune(const Session& session, const std::vector<std::string>& words) {
  FinetuneOptions options;
  std::string task = "classify";
  Machine machine;
  bool full_precision = false;
  Arguments arguments("train finetune");
  declare(arguments, options, task);
  declare(arguments, machine);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  QIAO_ASSIGN(options.task, parse_task(task));
  options.bfloat16 = !full_precision;
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(machine, progress));
  QIAO_ASSIGN(const Json card, finetune(disk, options, progress, session.stop));
  std::cout << dump_json(card["dev"]) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

}  // namespace qiao::learn
