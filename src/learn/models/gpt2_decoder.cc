// SPDX-License-Identifier: Apache-2.0
#include "learn/models/gpt2_decoder.h"

#include "learn/models/attention.h"
#include "learn/models/gelu.h"

namespace qiao::learn {
namespace {

torch::nn::LayerNorm norm(std::int64_t width) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}).eps(1e-5));
}

}  // namespace

Gpt2LayerImpl::Gpt2LayerImpl(const LanguageModelShape& shape, double dropout)
    : heads_(shape.heads), dropout_(dropout) {
  const std::int64_t width = shape.width;
  const double residual = residual_spread(shape.layers);
  attn_norm = register_module("attn_norm", norm(width));
  attn_qkv = register_module("attn_qkv", Projection(width, 3 * width, true, kSpread));
  attn_output = register_module("attn_output", Projection(width, width, true, residual));
  ffn_norm = register_module("ffn_norm", norm(width));
  ffn_up = register_module("ffn_up", Projection(width, 4 * width, true, kSpread));
  ffn_down = register_module("ffn_down", Projection(4 * width, width, true, residual));
}

torch::Tensor Gpt2LayerImpl::forward(torch::Tensor x, const torch::Tensor& mask) {
  const auto parts = attn_qkv(attn_norm(x)).chunk(3, -1);
  const torch::Tensor mixed =
      attention(split_heads(parts[0], heads_), split_heads(parts[1], heads_),
                split_heads(parts[2], heads_), mask, is_training() ? dropout_ : 0);
  x = x + torch::dropout(attn_output(join_heads(mixed)), dropout_, is_training());
  const torch::Tensor fed = ffn_down(gelu_by_tanh(ffn_up(ffn_norm(x))));
  return x + torch::dropout(fed, dropout_, is_training());
}

Gpt2Decoder::Gpt2Decoder(const LanguageModelShape& shape, double dropout)
    : words_(register_module("token_embd", torch::nn::Embedding(shape.vocabulary, shape.width))),
      positions_(
          register_module("position_embd", torch::nn::Embedding(shape.context, shape.width))),
      layers_(register_module("blk", torch::nn::ModuleList())),
      norm_(register_module("output_norm", norm(shape.width))),
      mask_(causal_mask(shape.context)),
      dropout_(dropout),
      pass_(shape) {
  torch::nn::init::normal_(words_->weight, 0, kSpread);
  torch::nn::init::normal_(positions_->weight, 0, kSpread);
  for (std::int64_t i = 0; i < shape.layers; ++i) layers_->push_back(Gpt2Layer(shape, dropout));
}

torch::Tensor Gpt2Decoder::hidden(const torch::Tensor& ids) {
  const std::int64_t tokens = ids.size(1);
  const torch::Device device = words_->weight.device();
  torch::Tensor x = words_(ids.to(device)) + positions_->weight.narrow(0, 0, tokens);
  x = torch::dropout(x, dropout_, is_training());
  if (mask_.device() != device) mask_ = mask_.to(device);
  const torch::Tensor mask = mask_.narrow(2, 0, tokens).narrow(3, 0, tokens);
  for (const auto& layer : *layers_) x = layer->as<Gpt2Layer>()->forward(x, mask);
  return norm_(x);
}

torch::Tensor Gpt2Decoder::scores(const torch::Tensor& hidden) {
  return torch::linear(hidden, words_->weight);
}

std::vector<torch::Tensor> Gpt2Decoder::weights_of_pass() const {
  std::vector<torch::Tensor> out = {words_->weight, positions_->weight};
  for (const auto& module : *layers_) {
    const auto& layer = *module->as<Gpt2Layer>();
    for (const bool attends : {true, false}) {
      const auto& norm = attends ? layer.attn_norm : layer.ffn_norm;
      const auto& in = attends ? layer.attn_qkv : layer.ffn_up;
      const auto& back = attends ? layer.attn_output : layer.ffn_down;
      if (in->adapted() || back->adapted()) return {};
      out.insert(out.end(),
                 {norm->weight, norm->bias, in->weight, in->bias, back->weight, back->bias});
    }
  }
  out.insert(out.end(), {norm_->weight, norm_->bias});
  return out;
}

std::optional<double> Gpt2Decoder::fused_gradients(const torch::Tensor& ids,
                                                   const torch::Tensor& targets, double share) {
  if (!words_->weight.is_cpu()) return std::nullopt;
  if ((is_training() && dropout_ > 0) || !pass_.takes(ids.size(1))) return std::nullopt;
  const std::vector<torch::Tensor> weights = weights_of_pass();
  if (weights.empty()) return std::nullopt;
  std::vector<torch::Tensor> gradients;
  const double loss = pass_.run(weights, ids, targets, share, gradients);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    torch::Tensor& gradient = weights[i].mutable_grad();
    if (gradient.defined()) {
      gradient += gradients[i];
    } else {
      gradient = gradients[i];
    }
  }
  return loss;
}

}  // namespace qiao::learn
