// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "learn/models/language_shape.h"

namespace qiao::learn {

// The places of a decoder's weights in a list: words, positions, then kGpt2LayerParts a layer in
// this order, then the last norm.
enum class Gpt2Part {
  kAttnNorm,
  kAttnNormShift,
  kQkv,
  kQkvBias,
  kOutput,
  kOutputBias,
  kFfnNorm,
  kFfnNormShift,
  kUp,
  kUpBias,
  kDown,
  kDownBias,
};
inline constexpr std::size_t kGpt2LayerParts = 12;

// The mean loss of the next token and its gradient by every weight of a GPT-2 decoder, forward and
// backward in one pass written by hand: matrix products by BLAS, all between them in few sweeps
// (fused_rows.h), no graph. Each thread takes some of the texts with buffers of its own, which are
// kept from step to step. Equal to autograd but for rounding. Within Bfloat16Scope the products are
// of bfloat16.
//
// One thread at a time; the same result for the same number of threads.
class Gpt2Pass {
 public:
  explicit Gpt2Pass(const LanguageModelShape& shape) : shape_(shape) {}

  // Whether it computes this shape and so many tokens: heads of at most kHeadWidthMax, and a table
  // of attention (tokens²) that stays small.
  [[nodiscard]] bool takes(std::int64_t tokens) const;

  // The loss of ids, targets [texts, tokens] times `share`. Fills `gradients` (as `weights`; views
  // of one buffer). Requires: takes(), weights dense binary32.
  double run(const std::vector<torch::Tensor>& weights, const torch::Tensor& ids,
             const torch::Tensor& targets, double share, std::vector<torch::Tensor>& gradients);

 private:
  LanguageModelShape shape_;
  std::vector<torch::Tensor> scratch_;  // one a thread
};

}  // namespace qiao::learn
