// SPDX-License-Identifier: Apache-2.0
#include "learn/models/rotary.h"

#include <cmath>

namespace qiao::learn {

Rotary::Rotary(std::int64_t head_width, std::int64_t context, double base, RotaryPairs pairs)
    : pairs_(pairs) {
  const torch::Tensor place = torch::arange(context, torch::kDouble).unsqueeze(1);
  const torch::Tensor pair = torch::arange(0, head_width, 2, torch::kDouble);
  angles_ = place * torch::exp(pair * (-std::log(base) / double(head_width)));
}

Rotary::Turn Rotary::turn(std::int64_t tokens, const torch::TensorOptions& options) const {
  const torch::Tensor angles = angles_.narrow(0, 0, tokens);
  return {angles.cos().to(options), angles.sin().to(options)};
}

torch::Tensor Rotary::apply(const torch::Tensor& x, const Turn& turn) const {
  const bool adjacent = pairs_ == RotaryPairs::kAdjacent;
  const std::vector<std::int64_t> paired = {x.size(0), x.size(1), x.size(2), x.size(3) / 2, 2};
  const auto sides = adjacent ? x.reshape(paired).unbind(4) : x.chunk(2, 3);
  const torch::Tensor first = sides[0] * turn.cos - sides[1] * turn.sin;
  const torch::Tensor second = sides[0] * turn.sin + sides[1] * turn.cos;
  return adjacent ? torch::stack({first, second}, 4).flatten(3) : torch::cat({first, second}, 3);
}

}  // namespace qiao::learn
