// SPDX-License-Identifier: Apache-2.0
#include "learn/models/llama_decoder.h"

#include "learn/models/attention.h"

namespace qiao::learn {

LlamaLayerImpl::LlamaLayerImpl(const LanguageModelShape& shape, std::size_t layer, double dropout)
    : heads_(shape.heads_of(layer)), kv_heads_(shape.kv_heads_of(layer)), dropout_(dropout) {
  const std::int64_t width = shape.width;
  const std::int64_t mixed = width / shape.heads * heads_;
  const std::int64_t shared = width / shape.heads * kv_heads_;
  const std::int64_t inner = shape.inner_of(layer);
  const bool bias = shape.architecture == Architecture::kQwen2;
  const double residual = residual_spread(shape.layers);
  attn_norm = register_module("attn_norm", RmsNorm(width, shape.epsilon));
  attn_q = register_module("attn_q", Projection(width, mixed, bias, kSpread));
  attn_k = register_module("attn_k", Projection(width, shared, bias, kSpread));
  attn_v = register_module("attn_v", Projection(width, shared, bias, kSpread));
  attn_output = register_module("attn_output", Projection(mixed, width, false, residual));
  ffn_norm = register_module("ffn_norm", RmsNorm(width, shape.epsilon));
  ffn_gate = register_module("ffn_gate", Projection(width, inner, false, kSpread));
  ffn_up = register_module("ffn_up", Projection(width, inner, false, kSpread));
  ffn_down = register_module("ffn_down", Projection(inner, width, false, residual));
}

torch::Tensor LlamaLayerImpl::forward(torch::Tensor x, const Rotary& rotary,
                                      const Rotary::Turn& turn, const torch::Tensor& mask) {
  const torch::Tensor normed = attn_norm(x);
  const torch::Tensor query = rotary.apply(split_heads(attn_q(normed), heads_), turn);
  // Head h reads the keys and values of group h / (heads / kv_heads).
  const auto spread = [&](const torch::Tensor& shared) {
    return kv_heads_ == heads_ ? shared : shared.repeat_interleave(heads_ / kv_heads_, 1);
  };
  const torch::Tensor key = spread(rotary.apply(split_heads(attn_k(normed), kv_heads_), turn));
  const torch::Tensor value = spread(split_heads(attn_v(normed), kv_heads_));
  const torch::Tensor mixed = attention(query, key, value, mask, is_training() ? dropout_ : 0);
  x = x + torch::dropout(attn_output(join_heads(mixed)), dropout_, is_training());
  const torch::Tensor fed = ffn_norm(x);
  return x + torch::dropout(ffn_down(torch::silu(ffn_gate(fed)) * ffn_up(fed)), dropout_,
                            is_training());
}

LlamaDecoder::LlamaDecoder(const LanguageModelShape& shape, double dropout)
    : words_(register_module("token_embd", torch::nn::Embedding(shape.vocabulary, shape.width))),
      layers_(register_module("blk", torch::nn::ModuleList())),
      norm_(register_module("output_norm", RmsNorm(shape.width, shape.epsilon))),
      rotary_(shape.width / shape.heads, shape.context, shape.rope_base,
              shape.architecture == Architecture::kQwen2 ? RotaryPairs::kHalves
                                                         : RotaryPairs::kAdjacent),
      dropout_(dropout) {
  torch::nn::init::normal_(words_->weight, 0, kSpread);
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.layers); ++i) {
    layers_->push_back(LlamaLayer(shape, i, dropout));
  }
  if (shape.tied) return;
  output_ = register_module("output", Projection(shape.width, shape.vocabulary, false, kSpread));
}

torch::Tensor LlamaDecoder::hidden(const torch::Tensor& ids) {
  const std::int64_t tokens = ids.size(1);
  const torch::Tensor& table = words_->weight;
  torch::Tensor x = torch::dropout(words_(ids.to(table.device())), dropout_, is_training());
  const torch::Tensor mask = causal_mask(tokens, table.device());
  const Rotary::Turn turn = rotary_.turn(tokens, table.options());
  for (const auto& layer : *layers_) {
    x = layer->as<LlamaLayer>()->forward(x, rotary_, turn, mask);
  }
  return norm_(x);
}

torch::Tensor LlamaDecoder::scores(const torch::Tensor& hidden) {
  return output_.is_empty() ? torch::linear(hidden, words_->weight) : output_(hidden);
}

}  // namespace qiao::learn
