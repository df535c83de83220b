// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "learn/commands/progress.h"
#include "learn/corpus/record_blocks.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

enum class TokenizerKind : std::uint8_t { kBpe, kUnigram, kWordPiece, kCharacters };
Result<TokenizerKind> parse_tokenizer_kind(std::string_view name);

struct MakeTokenizerOptions {
  std::vector<std::string> in;  // see find_text_files()
  std::string format;
  RecordRules records;
  TokenizerKind kind = TokenizerKind::kBpe;
  std::int64_t vocabulary = 8000;  // of all kinds but characters: at most so many tokens
  bool lowercase = false;          // wordpiece
  std::int64_t bytes_max = std::int64_t{256} << 20;  // the rest of the texts is left unread
  std::int64_t threads = 1;
};
inline constexpr std::int64_t kVocabularyMin = 260;  // 256 bytes and a few
// Different words that are counted at once; past it the rarest are forgotten.
inline constexpr std::size_t kCountedWordsMax = 4'000'000;

struct MadeTokenizer {
  std::shared_ptr<const TextCodec> codec;
  std::uint64_t bytes = 0;   // of text it learnt from
  std::uint64_t tokens = 0;  // that the first of them became
  std::uint64_t bytes_encoded = 0;
};

// Learns a tokenizer; the same texts and options give the same one, with any number of threads.
// `cancelled` when `stop` becomes true. Blocks.
Result<MadeTokenizer> make_tokenizer(const MakeTokenizerOptions& options, Progress& progress,
                                     const std::atomic<bool>& stop);

}  // namespace qiao::learn
