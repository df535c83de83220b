// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "learn/data/token_row.h"
#include "model/bundle/wordpiece.h"

namespace qiao::learn {

// What masking needs of a vocabulary. `unsupported` when it has no [MASK].
struct MaskTokens {
  std::int64_t cls, separator, mask;
  std::vector<std::string> pieces;  // by id
  std::vector<bool> ordinary;       // by id: no [PAD] and its like
};
Result<MaskTokens> mask_tokens(const model::WordPiece& tokenizer);

// Where words begin among pieces that follow each other: where no `##` stands; with `chinese_words`
// among Han characters where the dictionary says, else each of them is a word.
std::vector<bool> word_begins(std::span<const std::int64_t> ids, const MaskTokens& known,
                              bool chinese_words);

// Rows with some pieces hidden, and what was there.
struct MaskedRows {
  torch::Tensor ids;      // [rows, tokens], int64
  torch::Tensor places;   // of the flattened ids: those to guess, rising
  torch::Tensor targets;  // what stood there
};

struct MaskRules {
  double share = 0.15;        // of the pieces to guess (Devlin et al. 2019)
  double as_mask = 0.8;       // of these become [MASK],
  double as_chance = 0.1;     // a piece of chance; the rest stays
  bool whole_words = true;    // all pieces of a word or none
  bool chinese_words = true;  // with whole words: by the dictionary
};

// `[CLS] pieces [SEP]` for each of `firsts` in the text, `tokens` long, with at least one piece
// hidden in each. The same for the same state of `rng`.
// Requires: first + tokens - 2 ≤ text.size(), tokens ≥ 3.
MaskedRows masked_rows(const TokenRow& text, const std::vector<std::size_t>& firsts,
                       std::int64_t tokens, const MaskTokens& known, const MaskRules& rules,
                       Rng& rng);

}  // namespace qiao::learn
