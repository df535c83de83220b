// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/training/quantise.h"
#include "learn/training/threads.h"

namespace qiao::learn {

Status run_quantise(const Session& session, const std::vector<std::string>& words) {
  QuantiseOptions options;
  std::int64_t threads = 0;
  bool json = false;
  Arguments arguments("quantise");
  arguments.add("--bundle", "BUNDLE", options.bundle, Text::kLearnShrinkBundleHelp, true);
  arguments.add("--dev", "FILE", options.dev, Text::kLearnShrinkDevHelp, true);
  arguments.add("--out", "BUNDLE", options.out, Text::kLearnQuantiseOutHelp, true);
  arguments.add("--type", "int8|q8_0|q4_k", options.type, Text::kLearnQuantiseTypeHelp);
  arguments.add("--allow-loss", "POINTS", options.allow_loss, Text::kLearnAllowLossHelp);
  arguments.add("--threads", "N", threads, Text::kLearnThreadsHelp);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(threads);
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_ASSIGN(const Json told, quantise(disk, options, progress, session.stop));
  if (json) std::cout << dump_json(told) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

}  // namespace qiao::learn
