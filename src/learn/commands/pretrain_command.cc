// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <span>
#include <string_view>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/files/language_bundle.h"
#include "learn/training/masked.h"
#include "learn/training/pretrain.h"
#include "learn/training/threads.h"

namespace qiao::learn {
namespace {

constexpr std::string_view kBert = "bert";
constexpr double kBertDropout = 0.1;
constexpr std::int64_t kBertBatch = 32;

// What `--arch bert` takes besides.
struct BertWords {
  double mask = 0.15;
  bool single_pieces = false;
};

// An option that nothing would read, and why.
struct Unread {
  std::string_view option;
  std::string_view why;
};
constexpr Unread kUnreadByBert[] = {
    {"--separator", "with --arch bert a line is a document"},
    {"--kv-heads", "in bert each head has keys and values of its own"},
    {"--write", "bert writes nothing at a look"}};
constexpr std::string_view kHides = "only --arch bert hides pieces";
constexpr Unread kUnreadByOthers[] = {{"--mask", kHides}, {"--single-pieces", kHides}};
constexpr std::string_view kFromBase = "with --base it is the base's own";
constexpr Unread kUnreadWithBase[] = {{"--tokenizer", kFromBase}, {"--layers", kFromBase},
                                      {"--width", kFromBase},     {"--heads", kFromBase},
                                      {"--kv-heads", kFromBase},  {"--inner", kFromBase}};

Status refuse(std::span<const Unread> unread, const Arguments& arguments) {
  for (const auto& [option, why] : unread) {
    if (arguments.given(option)) {
      return invalid_argument(std::string(option) + ": " + std::string(why));
    }
  }
  return {};
}

void declare(Arguments& arguments, PretrainOptions& options, std::string& architecture) {
  arguments.add("--text", "FILE", options.text, Text::kLearnTextHelp, true);
  arguments.add("--out", "BUNDLE", options.out, Text::kLearnOutHelp, true);
  arguments.add("--base", "NAME|DIR", options.base, Text::kLearnBaseHelp);
  arguments.add("--separator", "TEXT", options.separator, Text::kLearnSeparatorHelp);
  arguments.add("--tokenizer", "DIR|FILE", options.tokenizer, Text::kLearnTokenizerHelp);
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
  arguments.add("--rate", "X", options.rate, Text::kLearnRateByModelHelp);
  arguments.add("--average", "X", options.average, Text::kLearnAverageHelp);
  arguments.add("--dropout", "X", options.dropout, Text::kLearnPretrainDropoutHelp);
  arguments.add("--held-out", "X", options.held_out, Text::kLearnHeldOutHelp);
  arguments.add("--write", "N", options.written, Text::kLearnWriteHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--look-every", "N", options.look_every, Text::kLearnLookEveryHelp);
  arguments.add("--patience", "N", options.patience, Text::kLearnPatienceHelp);
  arguments.add("--stop-after", "N", options.stop_after, Text::kLearnStopAfterHelp);
  arguments.add_flag("--resume", options.resume, Text::kLearnResumeHelp);
}

void declare(Arguments& arguments, BertWords& bert) {
  arguments.add("--mask", "X", bert.mask, Text::kLearnMaskHelp);
  arguments.add_flag("--single-pieces", bert.single_pieces, Text::kLearnSinglePiecesHelp);
}

MaskedOptions masked_options(const PretrainOptions& given, const BertWords& bert) {
  MaskedOptions options;
  static_cast<StepOptions&>(options) = given;
  options.text = given.text;
  options.base = given.base;
  options.tokenizer = given.tokenizer;
  options.shape.layers = given.shape.layers;
  options.shape.width = given.shape.width;
  options.shape.inner = given.shape.inner > 0 ? given.shape.inner : 4 * given.shape.width;
  options.shape.heads = given.shape.heads;
  options.shape.positions = given.shape.context;
  options.context = given.shape.context;
  options.at_once = given.at_once;
  options.dropout = given.dropout;
  options.held_out = given.held_out;
  options.rules.share = bert.mask;
  options.rules.whole_words = !bert.single_pieces;
  options.bfloat16 = given.bfloat16;
  return options;
}

}  // namespace

Status run_pretrain(const Session& session, const std::vector<std::string>& words) {
  PretrainOptions options;
  std::string architecture = "transformer";
  Machine machine;
  std::int64_t count = 1;
  bool full_precision = false;
  BertWords bert;
  options.batch = 0;
  options.dropout = -1;
  Arguments arguments("train pretrain");
  declare(arguments, options, architecture);
  declare(arguments, bert);
  arguments.add("--ranks", "N", count, Text::kLearnRanksHelp);
  declare(arguments, machine);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  const bool masked = architecture == kBert;
  if (!masked) {
    QIAO_ASSIGN(options.shape.architecture, parse_architecture(architecture));
    if (arguments.given("--arch")) options.base_architecture = options.shape.architecture;
  }
  QIAO_TRY(refuse(masked ? std::span<const Unread>(kUnreadByBert) : kUnreadByOthers, arguments));
  if (!options.base.empty()) QIAO_TRY(refuse(kUnreadWithBase, arguments));
  if (options.batch == 0) options.batch = masked ? kBertBatch : PretrainOptions().batch;
  if (options.dropout < 0) options.dropout = masked ? kBertDropout : PretrainOptions().dropout;
  options.separator = with_line_ends(options.separator);
  options.bfloat16 = !full_precision;
  if (count < 1 || count > options.batch) {
    return invalid_argument("--ranks must be 1 to the rows of --batch");
  }
  if (count > 1 && machine.device != "cpu") {
    return Error{Code::kUnsupported,
                 "--ranks shares the cores of a CPU: leave it out with --device"};
  }
  QIAO_ASSIGN(const auto ranks, Ranks::start(count, session.program));
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  if (machine.threads == 0) machine.threads = threads_of_each(count);
  QIAO_TRY(use(machine, progress));
  QIAO_ASSIGN(Json card, masked ? pretrain_masked(disk, masked_options(options, bert), progress,
                                                  session.stop, *ranks)
                                : pretrain(disk, options, progress, session.stop, *ranks));
  if (!ranks->first()) return {};
  card.erase("curve");
  std::cout << dump_json(card) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

Status run_sample(const Session& session, const std::vector<std::string>& words) {
  std::string folder;
  SampleOptions options;
  bool json = false;
  Arguments arguments("train sample");
  arguments.add("--bundle", "BUNDLE", folder, Text::kLearnSampleBundleHelp, true);
  arguments.add("--prompt", "TEXT", options.prompt, Text::kLearnPromptHelp);
  arguments.add("--characters", "N", options.tokens, Text::kLearnSampleLengthHelp);
  arguments.add("--temperature", "X", options.temperature, Text::kLearnTemperatureHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(1);  // one token at a time: more threads only wait for each other
  QIAO_ASSIGN(const LanguageBundle bundle, load_language_bundle(folder));
  QIAO_ASSIGN(const std::string text, sample(bundle, options, &session.stop));
  if (json) {
    std::cout << dump_json({{"prompt", options.prompt}, {"text", text}}) << "\n";
  } else {
    std::cout << options.prompt << text << "\n";
  }
  return {};
}

}  // namespace qiao::learn
