// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/training/distil.h"

namespace qiao::learn {

Status run_distil(const Session& session, const std::vector<std::string>& words) {
  DistilOptions options;
  options.train.smoothing = 0;  // the teacher's answers are soft already
  Machine machine;
  bool full_precision = false;
  bool json = false;
  Arguments arguments("distil");
  arguments.add("--teacher", "BUNDLE", options.teacher, Text::kLearnTeacherHelp, true);
  arguments.add("--train", "FILE", options.train.train, Text::kLearnTrainHelp, true);
  arguments.add("--dev", "FILE", options.train.dev, Text::kLearnDevHelp, true);
  arguments.add("--out", "BUNDLE", options.train.out, Text::kLearnOutHelp, true);
  arguments.add("--layers", "N", options.layers, Text::kLearnStudentLayersHelp);
  arguments.add("--width", "N", options.width, Text::kLearnStudentWidthHelp);
  arguments.add("--inner", "N", options.inner, Text::kLearnStudentInnerHelp);
  arguments.add_flag("--static", options.table, Text::kLearnStaticHelp);
  arguments.add("--relations", "X", options.relations, Text::kLearnRelationsHelp);
  arguments.add("--allow-loss", "POINTS", options.allow_loss, Text::kLearnAllowLossHelp);
  arguments.add("--seed", "N", options.train.seed, Text::kLearnSeedHelp);
  arguments.add("--epochs", "N", options.train.epochs, Text::kLearnEpochsHelp);
  arguments.add("--batch", "N", options.train.batch, Text::kLearnBatchHelp);
  arguments.add("--rate", "X", options.train.rate, Text::kLearnRateByTaskHelp);
  declare(arguments, machine);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  arguments.add_flag("--resume", options.train.resume, Text::kLearnResumeHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  options.train.bfloat16 = !full_precision;
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(machine, progress));
  QIAO_ASSIGN(const Json told, distil(disk, options, progress, session.stop));
  if (json) std::cout << dump_json(told) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.train.out}));
  return {};
}

}  // namespace qiao::learn
