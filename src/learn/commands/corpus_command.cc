// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdio>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/corpus/corpus_maker.h"
#include "learn/training/threads.h"

namespace qiao::learn {
namespace {

// The options whose values are words.
struct Words {
  std::string language;
  std::string width = "letters";
  std::string personal = "mask";
  bool keep_form = false;
};

void declare(Arguments& arguments, MakeCorpusOptions& options, Words& words) {
  arguments.add("--in", "FILE|DIR", options.in, Text::kLearnCorpusInHelp, true);
  arguments.add("--out", "DIR", options.out, Text::kLearnCorpusOutHelp, true);
  arguments.add("--tokenizer", "DIR|NAME", options.tokenizer, Text::kLearnCorpusTokenizerHelp);
  arguments.add("--format", "NAME", options.format, Text::kLearnCorpusFormatHelp);
  arguments.add("--field", "NAME", options.rules.records.field, Text::kLearnFieldHelp);
  arguments.add("--separator", "TEXT", options.rules.records.separator, Text::kLearnDocumentsHelp);
  arguments.add_flag("--keep-form", words.keep_form, Text::kLearnKeepFormHelp);
  arguments.add("--width", "RULE", words.width, Text::kLearnWidthRuleHelp);
  arguments.add_flag("--simplify", options.rules.clean.simplify, Text::kLearnSimplifyHelp);
  arguments.add("--language", "zh|en", words.language, Text::kLearnLanguageHelp);
  arguments.add("--least", "N", options.rules.characters_min, Text::kLearnLeastHelp);
  arguments.add("--personal", "RULE", words.personal, Text::kLearnPersonalHelp);
  arguments.add("--near", "X", options.rules.near, Text::kLearnNearHelp);
  arguments.add("--memory", "MB", options.memory_mb, Text::kLearnCorpusMemoryHelp);
  arguments.add("--shard-tokens", "N", options.shard_tokens, Text::kLearnShardHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnSeedHelp);
  arguments.add("--stop-after", "N", options.stop_after, Text::kLearnStopAfterHelp);
  arguments.add_flag("--resume", options.resume, Text::kLearnResumeHelp);
}

Status read_words(const Words& words, CorpusRules& rules) {
  rules.clean.nfkc = !words.keep_form;
  QIAO_ASSIGN(rules.clean.width, parse_width_rule(words.width));
  QIAO_ASSIGN(rules.personal, parse_personal_rule(words.personal));
  if (words.language == "zh") rules.language = Language::kChinese;
  if (words.language == "en") rules.language = Language::kEnglish;
  if (words.language.empty() || rules.language) return {};
  return invalid_argument("--language is zh or en, not \"" + words.language + "\"");
}

void print_report(Progress& progress, const std::string& out, const Json& json) {
  const Language language = progress.language();
  const CorpusReport report = corpus_report_of(json);
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  progress.note(tr(language, Text::kLearnCorpusRead,
                   {out, number(report.texts_read), number(report.texts_kept)}));
  for (std::size_t i = 0; i < kDrops; ++i) {
    const CorpusReport::Dropped& dropped = report.dropped[i];
    if (dropped.texts == 0) continue;
    std::string count = number(dropped.texts);
    count.insert(0, std::max<std::size_t>(count.size(), 10) - count.size(), ' ');
    progress.note(count + "  " + tr(language, sentence_of(static_cast<Drop>(i))) + "  (" +
                  tr(language, Text::kLearnCorpusFirst) + ": " + dropped.first + ")");
  }
  if (report.texts_masked + report.pieces_cut + report.texts_mended > 0) {
    progress.note(tr(language, Text::kLearnCorpusChanged,
                     {number(report.texts_masked), number(report.places_masked),
                      number(report.pieces_cut), number(report.texts_mended)}));
  }
  if (const auto left = json_integer(json, "left_alone").value_or(0); left > 0) {
    progress.note(tr(language, Text::kLearnCorpusSkipped,
                     {std::to_string(left), json_string(json, "first_left_alone").value_or("")}));
  }
  if (const auto compared = json_integer(json, "compared_with").value_or(0); compared > 0) {
    progress.note(tr(language, Text::kLearnCorpusForgotten, {std::to_string(compared)}));
  }
  if (const auto tokens = json_integer(json, "tokens")) {
    progress.note(tr(
        language, Text::kLearnCorpusTokens,
        {std::to_string(*tokens), std::to_string(json_integer(json, "token_files").value_or(0))}));
  }
}

}  // namespace

Status run_corpus(const Session& session, const std::vector<std::string>& words) {
  MakeCorpusOptions options;
  Words named;
  std::int64_t threads = 0;
  Arguments arguments("train corpus");
  declare(arguments, options, named);
  arguments.add("--threads", "N", threads, Text::kLearnThreadsHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  QIAO_TRY(read_words(named, options.rules));
  options.rules.records.separator = with_line_ends(options.rules.records.separator);
  options.threads = set_threads(threads);
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  const auto begun = std::chrono::steady_clock::now();
  QIAO_ASSIGN(Json report, make_text_corpus(disk, options, progress, session.stop));
  report["seconds"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  print_report(progress, options.out, report);
  std::cout << dump_json(report) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {options.out}));
  return {};
}

}  // namespace qiao::learn
