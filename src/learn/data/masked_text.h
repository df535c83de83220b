// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "model/bundle/wordpiece.h"

namespace qiao::learn {

// Ids of the tokens that masking needs. `unsupported` when the vocabulary has no [MASK].
struct MaskTokens {
  std::int64_t cls, separator, mask, vocabulary;
  std::vector<bool> ordinary;  // by id: no [PAD] and its like
};
Result<MaskTokens> mask_tokens(const model::WordPiece& tokenizer);

// A text as pieces, line behind line without blank ones, each with [SEP] behind it.
struct PieceText {
  std::vector<std::int64_t> ids;
  std::vector<bool> begins;  // a word begins here
};
// Words are runs of pieces of one word; with `chinese_words` also Chinese words by the dictionary,
// else each Han character is one.
PieceText read_pieces(std::string_view text, const model::WordPiece& tokenizer, bool chinese_words);

// Rows with some pieces hidden, and what was there.
struct MaskedRows {
  torch::Tensor ids;      // [rows, tokens], int64
  torch::Tensor places;   // of the flattened ids: those to guess, rising
  torch::Tensor targets;  // what stood there
};

struct MaskRules {
  double share = 0.15;      // of the pieces to guess (Devlin et al. 2019)
  double as_mask = 0.8;     // of these become [MASK],
  double as_chance = 0.1;   // a piece of chance; the rest stays
  bool whole_words = true;  // all pieces of a word or none
};

// `[CLS] pieces [SEP]` for each of `firsts` in the text, `tokens` long, with at least one piece
// hidden in each. The same for the same state of `rng`.
// Requires: first + tokens - 2 ≤ text.ids.size(), tokens ≥ 3.
MaskedRows masked_rows(const PieceText& text, const std::vector<std::size_t>& firsts,
                       std::int64_t tokens, const MaskTokens& known, const MaskRules& rules,
                       Rng& rng);

}  // namespace qiao::learn
