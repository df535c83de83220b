// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

namespace qiao::learn {

// softmax(Q·Kᵀ/√d + mask)·V (Vaswani et al. 2017, equation 1) over the last two sides of
// [batch, heads, tokens, d]. `mask` is added to the scores before the softmax: 0 where a token may
// look, -inf where not; undefined means everywhere. With `dropout` > 0 that share of the weights is
// dropped.
torch::Tensor attention(const torch::Tensor& query, const torch::Tensor& key,
                        const torch::Tensor& value, const torch::Tensor& mask, double dropout = 0);

// [1, 1, tokens, tokens]: a token sees itself and what stands before it.
torch::Tensor causal_mask(std::int64_t tokens, torch::Device device = torch::kCPU);

// [batch, 1, 1, tokens] from [batch, tokens] (true: a token, false: padding).
torch::Tensor padding_mask(const torch::Tensor& present);

// [batch, tokens, heads·d] to [batch, heads, tokens, d] and back.
torch::Tensor split_heads(const torch::Tensor& x, std::int64_t heads);
torch::Tensor join_heads(const torch::Tensor& x);

// sin and cos of position over 10000^(2i/width) (Vaswani et al. 2017, section 3.5):
// [tokens, width], sine in even columns, cosine in odd ones. Requires: an even width.
torch::Tensor sinusoid_positions(std::int64_t tokens, std::int64_t width);

}  // namespace qiao::learn
