// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace qiao::learn {

// A linear layer: W·x (+ b), perhaps with a low-rank change beside it (Hu et al. 2021):
// + scale·B·A·x.
class ProjectionImpl : public torch::nn::Module {
 public:
  // Weights of chance with that spread, a bias of 0.
  ProjectionImpl(std::int64_t in, std::int64_t out, bool bias, double spread);
  // With the weights of libtorch's layer. Requires: it has a bias.
  explicit ProjectionImpl(const torch::nn::Linear& linear);
  torch::Tensor forward(const torch::Tensor& x);

  // A of chance, B of zeros: it changes nothing at first. Requires: no adapter yet.
  void add_adapter(std::int64_t rank, double scale, double dropout);
  // The weight with the change added to it; the weight itself where there is no adapter.
  [[nodiscard]] torch::Tensor whole() const;
  // Makes whole() the weight and takes the adapter away.
  void merge_adapter();
  [[nodiscard]] bool adapted() const { return lora_a.defined(); }

  torch::Tensor weight;  // [out, in]
  torch::Tensor bias;    // [out], or undefined
  torch::Tensor lora_a;  // [rank, in], or undefined
  torch::Tensor lora_b;  // [out, rank]

 private:
  double scale_ = 0;
  double dropout_ = 0;  // of what A reads
};
TORCH_MODULE(Projection);

// The initial spread of a decoder's weights (GPT-2), and of those that write into the stream: the
// more layers add to it, the less each may add at first.
inline constexpr double kSpread = 0.02;
double residual_spread(std::int64_t layers);

}  // namespace qiao::learn
