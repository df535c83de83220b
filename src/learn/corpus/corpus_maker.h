// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/corpus/corpus_report.h"

namespace qiao::learn {

// From texts to a corpus that is clean, without repetitions and in an order of chance.
struct MakeCorpusOptions {
  std::vector<std::string> in;  // files and folders
  std::string format;           // see find_text_files()
  std::string out;              // a folder; must not exist
  std::string tokenizer;        // see open_text_codec(); "": texts are written
  CorpusRules rules;
  std::int64_t memory_mb = 256;  // for SeenTexts
  std::int64_t shard_tokens = std::int64_t{1} << 26;
  std::int64_t seed = 1;
  std::int64_t threads = 1;
  std::int64_t stop_after = 0;  // save and stop after so many blocks read; 0: never (for tests)
  bool resume = false;
};

// Writes a folder of tokens (token_folder.h), or of texts (texts-00000.jsonl … and index.json),
// and report.json: what was dropped and why. The same inputs and options give the same bytes, with
// any number of threads, and when the work was stopped or killed and resumed.
//
// Two passes: texts are read, judged and dealt by chance to files in `out`.partial (as much disk as
// the clean texts); then one file after another is shuffled in memory and written. Memory:
// kOrderAheadPerThread blocks a thread, `memory_mb`, and kShuffleBytesMax; not more for more text
// (from 256 times kShuffleBytesMax on, a file is shuffled in stretches). The state is saved every
// kSaveSeconds and when `stop` becomes true, which ends with `cancelled`. Blocks. Returns the
// report.
inline constexpr std::size_t kShuffleBytesMax = 64 << 20;
inline constexpr int kSaveSeconds = 30;

Result<Json> make_text_corpus(Disk& disk, const MakeCorpusOptions& options, Progress& progress,
                              const std::atomic<bool>& stop);

}  // namespace qiao::learn
