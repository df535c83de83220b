// SPDX-License-Identifier: Apache-2.0
#include "learn/models/attention.h"

#include <cmath>
#include <limits>

#include "learn/models/dropout.h"

namespace qiao::learn {

torch::Tensor attention(const torch::Tensor& query, const torch::Tensor& key,
                        const torch::Tensor& value, const torch::Tensor& mask, double dropout) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(-1)));
  torch::Tensor scores = torch::matmul(query * scale, key.transpose(-2, -1));
  if (mask.defined()) scores = scores + mask;
  torch::Tensor weights = torch::softmax(scores, -1);
  weights = drop(weights, dropout, true);
  return torch::matmul(weights.to(value.scalar_type()), value);
}

torch::Tensor causal_mask(std::int64_t tokens, torch::Device device) {
  return torch::full({1, 1, tokens, tokens}, -std::numeric_limits<float>::infinity(), device)
      .triu(1);
}

torch::Tensor padding_mask(const torch::Tensor& present) {
  const torch::Tensor mask = torch::zeros(present.sizes(), present.options().dtype(torch::kFloat));
  return mask.masked_fill(present.logical_not(), -std::numeric_limits<float>::infinity())
      .unsqueeze(1)
      .unsqueeze(1);
}

torch::Tensor split_heads(const torch::Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

torch::Tensor join_heads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

torch::Tensor sinusoid_positions(std::int64_t tokens, std::int64_t width) {
  const torch::Tensor position = torch::arange(tokens, torch::kDouble).unsqueeze(1);
  const torch::Tensor pair = torch::arange(0, width, 2, torch::kDouble);
  const torch::Tensor angle = position * torch::exp(pair * (-std::log(1e4) / double(width)));
  return torch::stack({angle.sin(), angle.cos()}, -1).view({tokens, width}).to(torch::kFloat);
}

}  // namespace qiao::learn
