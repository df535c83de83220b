// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::model {

inline constexpr std::size_t kVocabularyMax = 1 << 20;

// A BERT WordPiece vocabulary in the form llama.cpp reads: `x` becomes `▁x` (a word's start),
// `##x` becomes `x`, special tokens stay as they are.
struct Vocabulary {
  std::vector<std::string> pieces;  // by id
  std::vector<std::int32_t> kinds;  // 1 normal, 2 unknown, 3 control
  std::int32_t pad = 0;
  std::int32_t unknown = 0;
  std::int32_t cls = 0;
  std::int32_t separator = 0;
  std::int32_t mask = -1;  // -1: none
  bool lowercase = true;
  bool strip_accents = true;
};

// From Hugging Face's tokenizer.json, or from a vocab.txt (one piece a line). `lowercase` 1 or 0
// overrules the file, -1 leaves it: bge-small-zh ships `lowercase: false` over a vocabulary of
// lower-case pieces, which turns every capital into [UNK]. Another kind of tokenizer is
// `unsupported`, a hole in the ids `corrupt`.
Result<Vocabulary> read_vocabulary(const std::string& path, int lowercase);

}  // namespace qiao::model
