// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/data/token_folder.h"
#include "learn/files/free_place.h"
#include "learn/tokenizers/tokenizer_maker.h"
#include "learn/training/threads.h"

namespace qiao::learn {
namespace {

// Into a folder beside, which then gets its name: whole or not at all.
Status save_tokenizer(const TextCodec& codec, const std::string& out) {
  SystemDisk disk;
  const std::string partial = out + ".partial";
  std::error_code ignored;
  std::filesystem::remove_all(partial, ignored);
  QIAO_TRY(disk.make_directories(partial));
  QIAO_TRY(codec.save(disk, partial));
  return disk.rename(partial, out);
}

Result<MadeTokenizer> make(const MakeTokenizerOptions& options, const std::string& from,
                           Progress& progress, const Session& session) {
  if (from.empty()) return make_tokenizer(options, progress, session.stop);
  MadeTokenizer made;
  QIAO_ASSIGN(made.codec, read_text_codec(from));
  return made;
}

std::string ratio(const MadeTokenizer& made) {
  if (made.tokens == 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", double(made.bytes_encoded) / double(made.tokens));
  return text;
}

}  // namespace

Status run_tokenizer(const Session& session, const std::vector<std::string>& words) {
  MakeTokenizerOptions options;
  std::string kind = "bpe";
  std::string from;
  std::string out;
  std::int64_t threads = 0;
  Arguments arguments("train tokenizer");
  arguments.add("--in", "FILE|DIR", options.in, Text::kLearnTokenizerInHelp);
  arguments.add("--out", "DIR", out, Text::kLearnTokenizerOutHelp, true);
  arguments.add("--kind", "NAME", kind, Text::kLearnKindHelp);
  arguments.add("--vocab", "N", options.vocabulary, Text::kLearnVocabularyHelp);
  arguments.add_flag("--lowercase", options.lowercase, Text::kLearnLowercaseHelp);
  arguments.add("--from", "FILE", from, Text::kLearnTokenizerFromHelp);
  arguments.add("--format", "NAME", options.format, Text::kLearnCorpusFormatHelp);
  arguments.add("--field", "NAME", options.records.field, Text::kLearnFieldHelp);
  arguments.add("--bytes", "N", options.bytes_max, Text::kLearnTokenizerBytesHelp);
  arguments.add("--threads", "N", threads, Text::kLearnThreadsHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  if (options.in.empty() == from.empty()) {
    return invalid_argument("train tokenizer needs either --in (texts) or --from (a file)");
  }
  QIAO_ASSIGN(options.kind, parse_tokenizer_kind(kind));
  options.threads = set_threads(threads);
  SystemDisk disk;
  QIAO_TRY(check_free(disk, out));
  Progress progress(session.language, session.terminal);
  QIAO_ASSIGN(const MadeTokenizer made, make(options, from, progress, session));
  QIAO_TRY(save_tokenizer(*made.codec, out));
  const Json told = {{"vocabulary", made.codec->size()},
                     {"vocabulary_sha256", fingerprint(*made.codec)},
                     {"bytes", made.bytes_encoded},
                     {"tokens", made.tokens}};
  progress.note(tr(session.language, Text::kLearnTokenizerDone,
                   {std::to_string(made.codec->size()), ratio(made)}));
  std::cout << dump_json(told) << "\n";
  progress.note(tr(session.language, Text::kLearnWritten, {out}));
  return {};
}

}  // namespace qiao::learn
