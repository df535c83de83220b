// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "learn/data/token_row.h"

namespace qiao::learn {

// Stretches of a tokenised text, each with the token that follows every one of its own.
struct Blocks {
  torch::Tensor ids;      // [batch, tokens]
  torch::Tensor targets;  // the same, one token later
};

// `batch` stretches from places of chance; the same for the same seed.
// Requires: tokens.size() > length.
Blocks random_blocks(const TokenRow& tokens, std::int64_t batch, std::int64_t length,
                     std::uint64_t seed);

// The stretches that begin at `first`, one behind the other, at most `batch` of them; none when the
// text is used up.
Blocks next_blocks(const TokenRow& tokens, std::int64_t batch, std::int64_t length,
                   std::size_t first);

}  // namespace qiao::learn
