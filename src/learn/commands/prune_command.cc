// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/training/prune.h"

namespace qiao::learn {

Status run_prune(const Session& session, const std::vector<std::string>& words) {
  PruneOptions options;
  Machine machine;
  bool json = false;
  bool full_precision = false;
  Arguments arguments("prune");
  arguments.add("--bundle", "BUNDLE", options.bundle, Text::kLearnShrinkBundleHelp, true);
  arguments.add("--data", "FILE", options.data, Text::kLearnPruneDataHelp, true);
  arguments.add("--dev", "FILE", options.dev, Text::kLearnShrinkDevHelp, true);
  arguments.add("--out", "BUNDLE", options.out, Text::kLearnOutHelp, true);
  arguments.add("--heads", "SHARE", options.heads, Text::kLearnKeepHeadsHelp);
  arguments.add("--inner", "SHARE", options.inner, Text::kLearnKeepInnerHelp);
  arguments.add("--layers", "N", options.layers, Text::kLearnKeepLayersHelp);
  arguments.add_flag("--vocabulary", options.vocabulary, Text::kLearnKeepVocabularyHelp);
  arguments.add_flag("--per-layer", options.per_layer, Text::kLearnPerLayerHelp);
  arguments.add("--recover", "EPOCHS", options.recover, Text::kLearnRecoverHelp);
  arguments.add("--rate", "X", options.rate, Text::kLearnRateHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--allow-loss", "POINTS", options.allow_loss, Text::kLearnAllowLossHelp);
  declare(arguments, machine);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  arguments.add_flag("--resume", options.resume, Text::kLearnResumeHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  options.bfloat16 = !full_precision;
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(machine, progress));
  QIAO_ASSIGN(const Json told, prune(disk, options, progress, session.stop));
  if (json) std::cout << dump_json(told) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

}  // namespace qiao::learn
