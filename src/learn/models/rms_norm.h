// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace qiao::learn {

// x / √(mean of x² + ε) · weight over the last side (Zhang and Sennrich 2019).
class RmsNormImpl : public torch::nn::Module {
 public:
  RmsNormImpl(std::int64_t width, double epsilon)
      : weight(register_parameter("weight", torch::ones(width))), epsilon_(epsilon) {}
  torch::Tensor forward(const torch::Tensor& x) {
    return x * torch::rsqrt(x.square().mean(-1, true) + epsilon_) * weight;
  }

  torch::Tensor weight;

 private:
  double epsilon_;
};
TORCH_MODULE(RmsNorm);

}  // namespace qiao::learn
