// SPDX-License-Identifier: Apache-2.0
#include "learn/models/projection.h"

#include <cmath>

namespace qiao::learn {

double residual_spread(std::int64_t layers) {
  return kSpread / std::sqrt(2.0 * double(layers));
}

ProjectionImpl::ProjectionImpl(std::int64_t in, std::int64_t out, bool with_bias, double spread)
    : weight(register_parameter("weight", torch::randn({out, in}) * spread)) {
  if (with_bias) bias = register_parameter("bias", torch::zeros(out));
}

ProjectionImpl::ProjectionImpl(const torch::nn::Linear& linear)
    : weight(register_parameter("weight", linear->weight)),
      bias(register_parameter("bias", linear->bias)) {}

torch::Tensor ProjectionImpl::forward(const torch::Tensor& x) {
  const torch::Tensor plain = torch::linear(x, weight, bias);
  if (!adapted()) return plain;
  const torch::Tensor read = torch::dropout(x, dropout_, is_training());
  return plain + torch::linear(torch::linear(read, lora_a), lora_b) * scale_;
}

void ProjectionImpl::add_adapter(std::int64_t rank, double scale, double dropout) {
  const std::int64_t in = weight.size(1);
  const torch::Tensor drawn = torch::randn({rank, in}) / std::sqrt(double(in));
  lora_a = register_parameter("lora_a", drawn.to(weight.device()));
  lora_b = register_parameter("lora_b", torch::zeros({weight.size(0), rank}, weight.device()));
  scale_ = scale;
  dropout_ = dropout;
}

torch::Tensor ProjectionImpl::whole() const {
  const torch::NoGradGuard no_grad;
  return adapted() ? weight + torch::matmul(lora_b, lora_a) * scale_ : weight;
}

void ProjectionImpl::merge_adapter() {
  const torch::NoGradGuard no_grad;
  weight.copy_(whole());
  parameters_.erase("lora_a");
  parameters_.erase("lora_b");
  lora_a.reset();
  lora_b.reset();
}

}  // namespace qiao::learn
