// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "learn/models/gpt2_pass.h"
#include "learn/models/language_model.h"
#include "learn/models/projection.h"

namespace qiao::learn {

// One block of GPT-2: each part normed first, then added to its input.
class Gpt2LayerImpl : public torch::nn::Module {
 public:
  Gpt2LayerImpl(const LanguageModelShape& shape, double dropout);
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& mask);

  torch::nn::LayerNorm attn_norm{nullptr}, ffn_norm{nullptr};
  Projection attn_qkv{nullptr}, attn_output{nullptr}, ffn_up{nullptr}, ffn_down{nullptr};

 private:
  std::int64_t heads_;
  double dropout_;
};
TORCH_MODULE(Gpt2Layer);

// GPT-2 (Radford et al. 2019): learnt positions, the word table is also the output's.
class Gpt2Decoder final : public LanguageModel {
 public:
  Gpt2Decoder(const LanguageModelShape& shape, double dropout);
  torch::Tensor hidden(const torch::Tensor& ids) override;
  torch::Tensor scores(const torch::Tensor& hidden) override;
  // By Gpt2Pass, where nothing is dropped and there are no adapters.
  std::optional<double> fused_gradients(const torch::Tensor& ids, const torch::Tensor& targets,
                                        double share) override;

 private:
  // In the order of Gpt2Part; empty where a layer has an adapter.
  [[nodiscard]] std::vector<torch::Tensor> weights_of_pass() const;

  torch::nn::Embedding words_, positions_;
  torch::nn::ModuleList layers_;
  torch::nn::LayerNorm norm_;
  torch::Tensor mask_;
  double dropout_;
  Gpt2Pass pass_;
};

}  // namespace qiao::learn
