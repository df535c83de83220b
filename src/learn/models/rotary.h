// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace qiao::learn {

// Which values of a head turn together (Su et al. 2021; files of the two kinds exist, and one read
// as the other is a wrong model without any error).
enum class RotaryPairs {
  kAdjacent,  // 2i and 2i+1: the paper, and GGUF's `llama`
  kHalves,    // i and i + width/2: GGUF's `qwen2`, and Hugging Face's files of both
};

// Rotary positions: pair i of a query or key at place t is turned by t / base^(2i/width), so that
// their product depends on the distance alone. Immutable.
class Rotary {
 public:
  // Requires: an even width of a head.
  Rotary(std::int64_t head_width, std::int64_t context, double base, RotaryPairs pairs);

  // cos and sin of the first `tokens` places, once for all layers.
  struct Turn {
    torch::Tensor cos, sin;  // [tokens, head_width / 2]
  };
  [[nodiscard]] Turn turn(std::int64_t tokens, const torch::TensorOptions& options) const;
  // x [batch, heads, tokens, head_width], turned.
  [[nodiscard]] torch::Tensor apply(const torch::Tensor& x, const Turn& turn) const;

 private:
  torch::Tensor angles_;  // [context, head_width / 2], binary64
  RotaryPairs pairs_;
};

}  // namespace qiao::learn
