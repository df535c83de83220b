// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <memory>
#include <optional>

#include "learn/models/encoder.h"
#include "learn/models/language_shape.h"

namespace qiao::learn {

// A model of the next token: a token's vector and scores depend on it and those before it alone.
// One thread at a time.
class LanguageModel : public torch::nn::Module {
 public:
  // ids [batch, tokens] (tokens ≤ context) → what the scores are read from, [batch, tokens, width].
  virtual torch::Tensor hidden(const torch::Tensor& ids) = 0;
  // [… , width] → scores of the next token, [… , vocabulary].
  virtual torch::Tensor scores(const torch::Tensor& hidden) = 0;
  torch::Tensor forward(const torch::Tensor& ids) { return scores(hidden(ids)); }
  // The mean loss of `targets` [batch, tokens] times `share`, whose gradient is added to that of
  // the weights, without autograd; nullopt where the model has no such short way.
  virtual std::optional<double> fused_gradients(const torch::Tensor& ids,
                                                const torch::Tensor& targets, double share) {
    static_cast<void>(ids), static_cast<void>(targets), static_cast<void>(share);
    return std::nullopt;
  }
};

// With weights of chance: after torch::manual_seed() always the same.
// Requires: check_shape() is content.
std::shared_ptr<LanguageModel> make_language_model(const LanguageModelShape& shape, double dropout);

// Every weight by name. A decoder's names are GGUF's (`blk.0.attn_output.weight`).
NamedTensors weights_of(const LanguageModel& model);
std::int64_t count_weights(const LanguageModel& model);

}  // namespace qiao::learn
