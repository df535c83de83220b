// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/files/language_bundle.h"
#include "learn/training/pretrain.h"
#include "learn/training/threads.h"

namespace qiao::learn {
namespace {

// `\\n` in a separator is a line's end.
std::string with_line_ends(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool line_end = text.substr(i, 2) == "\\n";
    out += line_end ? '\n' : text[i];
    i += line_end ? 1 : 0;
  }
  return out;
}

void declare(Arguments& arguments, PretrainOptions& options, std::string& architecture) {
  arguments.add("--text", "FILE", options.text, Text::kLearnTextHelp, true);
  arguments.add("--out", "BUNDLE", options.out, Text::kLearnOutHelp, true);
  arguments.add("--base", "NAME|DIR", options.base, Text::kLearnBaseHelp);
  arguments.add("--separator", "TEXT", options.separator, Text::kLearnSeparatorHelp);
  arguments.add("--arch", "NAME", architecture, Text::kLearnArchHelp);
  arguments.add("--layers", "N", options.shape.layers, Text::kLearnLayersHelp);
  arguments.add("--width", "N", options.shape.width, Text::kLearnWidthHelp);
  arguments.add("--heads", "N", options.shape.heads, Text::kLearnHeadsHelp);
  arguments.add("--kv-heads", "N", options.shape.kv_heads, Text::kLearnKvHeadsHelp);
  arguments.add("--inner", "N", options.shape.inner, Text::kLearnInnerHelp);
  arguments.add("--context", "N", options.shape.context, Text::kLearnContextHelp);
  arguments.add("--batch", "N", options.batch, Text::kLearnBlocksHelp);
  arguments.add("--at-once", "N", options.at_once, Text::kLearnAtOnceHelp);
  arguments.add("--steps", "N", options.steps, Text::kLearnStepsHelp);
  arguments.add("--rate", "X", options.rate, Text::kLearnRateHelp);
  arguments.add("--dropout", "X", options.dropout, Text::kLearnDropoutHelp);
  arguments.add("--held-out", "X", options.held_out, Text::kLearnHeldOutHelp);
  arguments.add("--write", "N", options.written, Text::kLearnWriteHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--stop-after", "N", options.stop_after, Text::kLearnStopAfterHelp);
  arguments.add_flag("--resume", options.resume, Text::kLearnResumeHelp);
}

}  // namespace

Status run_pretrain(const Session& session, const std::vector<std::string>& words) {
  PretrainOptions options;
  std::string architecture = "transformer";
  std::int64_t threads = 0;
  bool full_precision = false;
  Arguments arguments("train pretrain");
  declare(arguments, options, architecture);
  arguments.add("--threads", "N", threads, Text::kLearnThreadsHelp);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  QIAO_ASSIGN(options.shape.architecture, parse_architecture(architecture));
  options.separator = with_line_ends(options.separator);
  options.bfloat16 = !full_precision;
  set_threads(threads);
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_ASSIGN(Json card, pretrain(disk, options, progress, session.stop));
  card.erase("curve");
  std::cout << dump_json(card) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

Status run_sample(const Session& session, const std::vector<std::string>& words) {
  std::string folder;
  SampleOptions options;
  Arguments arguments("train sample");
  arguments.add("--bundle", "BUNDLE", folder, Text::kLearnBundleHelp, true);
  arguments.add("--prompt", "TEXT", options.prompt, Text::kLearnPromptHelp);
  arguments.add("--characters", "N", options.tokens, Text::kLearnSampleLengthHelp);
  arguments.add("--temperature", "X", options.temperature, Text::kLearnTemperatureHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(1);  // one token at a time: more threads only wait for each other
  QIAO_ASSIGN(const LanguageBundle bundle, load_language_bundle(folder));
  QIAO_ASSIGN(const std::string text, sample(bundle, options));
  std::cout << options.prompt << text << "\n";
  return {};
}

}  // namespace qiao::learn
