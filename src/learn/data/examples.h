// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "learn/data/labels.h"
#include "learn/data/rows.h"
#include "model/bundle/wordpiece.h"

namespace qiao::learn {

inline constexpr std::int64_t kNoTarget = -100;  // torch's own "leave this out"

// A row as the model takes it. A text or a pair: one target; of a regression `number` counts. Tags:
// one for each piece, kNoTarget for [CLS] and [SEP]. Of several heads one for each, kNoTarget where
// the row has none. A label the model does not know is kNoTarget.
struct Example {
  model::Encoded text;
  std::vector<std::int64_t> targets;
  double number = 0;
};

Example make_example(const Row& row, Task task, const model::WordPiece& tokenizer,
                     const Labels& labels, std::size_t tokens_max);

// Examples padded to the longest of them.
struct Batch {
  torch::Tensor ids;        // [batch, tokens], int64
  torch::Tensor present;    // [batch, tokens], bool
  torch::Tensor segments;   // [batch, tokens], int64: 1 for the second text; undefined: no pairs
  torch::Tensor targets;    // [batch], [batch, tokens | heads], int64; numbers [batch], float
  std::int64_t tokens = 0;  // without padding
};
Batch make_batch(const std::vector<Example>& examples, const std::vector<std::size_t>& chosen,
                 Task task, std::int64_t pad);

// Which examples go together: all of them once, texts of like length in one batch, batches in an
// order of chance. At most `batch` texts and `tokens_max` tokens with padding in one (one text may
// pass that). The same for the same `seed`.
std::vector<std::vector<std::size_t>> plan_batches(const std::vector<Example>& examples,
                                                   std::size_t batch, std::size_t tokens_max,
                                                   std::uint64_t seed);
// The same, but of pairs: all examples once, each followed by another of its label, by itself where
// there is none. Requires: one target each.
std::vector<std::vector<std::size_t>> plan_pairs(const std::vector<Example>& examples,
                                                 std::size_t batch, std::size_t tokens_max,
                                                 std::uint64_t seed);
// How much is asked of a model at once where nothing is learnt.
inline constexpr std::size_t kAskedTexts = 64;
inline constexpr std::size_t kAskedTokens = 4096;
// The same in order of length, without chance: for evaluation.
std::vector<std::vector<std::size_t>> plan_batches_in_order(const std::vector<Example>& examples,
                                                            std::size_t batch,
                                                            std::size_t tokens_max);

}  // namespace qiao::learn
