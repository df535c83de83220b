// SPDX-License-Identifier: Apache-2.0
#include "learn/training/contrast.h"

namespace qiao::learn {

torch::Tensor contrast_loss(const torch::Tensor& vectors, const torch::Tensor& labels) {
  constexpr double kTemperature = 0.1;
  constexpr double kSelf = -1e9;  // finite: 0 times -inf is no number
  const torch::Tensor normed = torch::nn::functional::normalize(vectors);
  const torch::Tensor self = torch::eye(vectors.size(0), vectors.options().dtype(torch::kBool));
  const torch::Tensor own = labels.to(vectors.device());
  // No matrix product: within Bfloat16Scope its three digits would be too few.
  const torch::Tensor cosines = (normed.unsqueeze(0) * normed.unsqueeze(1)).sum(-1);
  const torch::Tensor near = (cosines / kTemperature).masked_fill(self, kSelf);
  const torch::Tensor alike = own.unsqueeze(0).eq(own.unsqueeze(1)).logical_and(~self);
  const torch::Tensor partners = alike.sum(1);
  const torch::Tensor told = (torch::log_softmax(near, 1) * alike).sum(1) / partners.clamp_min(1);
  return -told.sum() / partners.gt(0).sum().clamp_min(1);
}

}  // namespace qiao::learn
