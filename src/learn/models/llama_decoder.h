// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "learn/models/language_model.h"
#include "learn/models/projection.h"
#include "learn/models/rms_norm.h"
#include "learn/models/rotary.h"

namespace qiao::learn {

// One block of Llama (Touvron et al. 2023): attention whose heads share keys and values in groups
// (Ainslie et al. 2023), then a feed-forward part with a gate, W₂·(silu(W₁·x) ⊙ W₃·x) (Shazeer
// 2020); each normed first, then added to its input.
class LlamaLayerImpl : public torch::nn::Module {
 public:
  LlamaLayerImpl(const LanguageModelShape& shape, std::size_t layer, double dropout);
  torch::Tensor forward(torch::Tensor x, const Rotary& rotary, const Rotary::Turn& turn,
                        const torch::Tensor& mask);

  RmsNorm attn_norm{nullptr}, ffn_norm{nullptr};
  Projection attn_q{nullptr}, attn_k{nullptr}, attn_v{nullptr}, attn_output{nullptr};
  Projection ffn_gate{nullptr}, ffn_up{nullptr}, ffn_down{nullptr};

 private:
  std::int64_t heads_, kv_heads_;
  double dropout_;
};
TORCH_MODULE(LlamaLayer);

// Llama, and Qwen2 (Yang et al. 2024): the same but for biases on queries, keys and values and for
// the pairs that positions turn.
class LlamaDecoder final : public LanguageModel {
 public:
  LlamaDecoder(const LanguageModelShape& shape, double dropout);
  torch::Tensor hidden(const torch::Tensor& ids) override;
  torch::Tensor scores(const torch::Tensor& hidden) override;

 private:
  torch::nn::Embedding words_;
  torch::nn::ModuleList layers_;
  RmsNorm norm_;
  Projection output_{nullptr};  // null when tied
  Rotary rotary_;
  double dropout_;
};

}  // namespace qiao::learn
