// SPDX-License-Identifier: Apache-2.0
#include "learn/models/encoder.h"

#include "learn/models/attention.h"
#include "learn/models/dropout.h"
#include "learn/models/gelu.h"

namespace qiao::learn {
namespace {

torch::nn::LayerNorm make_norm(std::int64_t width, double epsilon) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({width}).eps(epsilon));
}

// The word table is large and a batch touches few rows: its gradient is sparse.
torch::nn::Embedding make_words(const EncoderShape& shape) {
  return torch::nn::Embedding(
      torch::nn::EmbeddingOptions(shape.vocabulary, shape.width).sparse(true));
}

Projection make_linear(std::int64_t in, std::int64_t out) {
  return Projection(torch::nn::Linear(in, out));
}

void add_linear(NamedTensors& out, const std::string& name, const Projection& linear) {
  out.emplace_back(name + ".weight", linear->whole());
  out.emplace_back(name + ".bias", linear->bias);
}

void add_norm(NamedTensors& out, const std::string& name, const torch::nn::LayerNorm& norm) {
  out.emplace_back(name + ".weight", norm->weight);
  out.emplace_back(name + ".bias", norm->bias);
}

}  // namespace

SelfAttentionImpl::SelfAttentionImpl(const EncoderShape& shape, std::size_t layer, double dropout)
    : heads_(shape.heads_of(layer)), dropout_(dropout) {
  const std::int64_t mixed = heads_ * shape.head_width();
  query = register_module("query", make_linear(shape.width, mixed));
  key = register_module("key", make_linear(shape.width, mixed));
  value = register_module("value", make_linear(shape.width, mixed));
  output = register_module("output", make_linear(mixed, shape.width));
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& asking,
                                         const torch::Tensor& mask, Relations* seen) {
  const Relations own{query(asking), key(x), value(x)};
  if (seen != nullptr) *seen = own;
  const torch::Tensor mixed =
      learn::attention(split_heads(own.query, heads_), split_heads(own.key, heads_),
                       split_heads(own.value, heads_), mask, is_training() ? dropout_ : 0);
  return output(join_heads(mixed));
}

EncoderLayerImpl::EncoderLayerImpl(const EncoderShape& shape, std::size_t layer, double dropout)
    : attention(register_module("attention", SelfAttention(shape, layer, dropout))),
      attention_norm(register_module("attention_norm", make_norm(shape.width, shape.epsilon))),
      up(register_module("up", make_linear(shape.width, shape.inner_of(layer)))),
      down(register_module("down", make_linear(shape.inner_of(layer), shape.width))),
      output_norm(register_module("output_norm", make_norm(shape.width, shape.epsilon))),
      dropout_(dropout) {}

torch::Tensor EncoderLayerImpl::forward(const torch::Tensor& x, const torch::Tensor& mask,
                                        Relations* seen) {
  return finish(x, attention(x, x, mask, seen));
}

torch::Tensor EncoderLayerImpl::first(const torch::Tensor& x, const torch::Tensor& mask) {
  const torch::Tensor asking = x.narrow(1, 0, 1);
  return finish(asking, attention(x, asking, mask, nullptr));
}

torch::Tensor EncoderLayerImpl::finish(const torch::Tensor& asking, const torch::Tensor& looked) {
  const torch::Tensor middle = attention_norm(asking + drop(looked, dropout_, is_training()));
  const torch::Tensor fed = down(gelu_by_tanh(up(middle)));
  return output_norm(middle + drop(fed, dropout_, is_training()));
}

EncoderImpl::EncoderImpl(const EncoderShape& shape, double dropout)
    : words(register_module("words", make_words(shape))), shape_(shape), dropout_(dropout) {
  if (shape.is_table()) return;
  positions = register_module("positions", torch::nn::Embedding(shape.positions, shape.width));
  types = register_module("types", torch::nn::Embedding(shape.types, shape.width));
  norm = register_module("norm", make_norm(shape.width, shape.epsilon));
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.layers); ++i) {
    layers.push_back(register_module("layer" + std::to_string(i), EncoderLayer(shape, i, dropout)));
  }
}

torch::Tensor EncoderImpl::embed(const torch::Tensor& ids, const torch::Tensor& segments) {
  const torch::Device device = words->weight.device();
  const torch::Tensor read = words(ids.to(device));
  if (shape_.is_table()) return read;
  const torch::Tensor type = segments.defined() ? types(segments.to(device)) : types->weight[0];
  const torch::Tensor x = read + positions->weight.narrow(0, 0, ids.size(1)) + type;
  return drop(norm(x), dropout_, is_training());
}

torch::Tensor EncoderImpl::forward(const torch::Tensor& ids, const torch::Tensor& present,
                                   const torch::Tensor& segments, Relations* seen) {
  torch::Tensor x = embed(ids, segments);
  if (layers.empty()) return x;
  const torch::Tensor mask = padding_mask(present.to(x.device()));
  for (std::size_t i = 0; i < layers.size(); ++i) {
    x = layers[i](x, mask, i + 1 == layers.size() ? seen : nullptr);
  }
  return x;
}

torch::Tensor EncoderImpl::vectors(const torch::Tensor& ids, const torch::Tensor& present,
                                   const torch::Tensor& segments) {
  if (shape_.pooling != Pooling::kCls || layers.empty()) {
    return pool(forward(ids, present, segments), present, shape_.pooling);
  }
  torch::Tensor x = embed(ids, segments);
  const torch::Tensor mask = padding_mask(present.to(x.device()));
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i](x, mask);
  return layers.back()->first(x, mask).select(1, 0);
}

torch::Tensor pool(const torch::Tensor& hidden, const torch::Tensor& present, Pooling pooling) {
  if (pooling == Pooling::kCls) return hidden.select(1, 0);
  const torch::Tensor weight = present.to(hidden.options()).unsqueeze(-1);
  return (hidden * weight).sum(1) / weight.sum(1);
}

NamedTensors weights_of(const Encoder& encoder) {
  NamedTensors out = {{"embeddings.word_embeddings.weight", encoder->words->weight}};
  if (encoder->shape().is_table()) return out;
  out.emplace_back("embeddings.position_embeddings.weight", encoder->positions->weight);
  out.emplace_back("embeddings.token_type_embeddings.weight", encoder->types->weight);
  add_norm(out, "embeddings.LayerNorm", encoder->norm);
  for (std::size_t i = 0; i < encoder->layers.size(); ++i) {
    const std::string name = "encoder.layer." + std::to_string(i) + ".";
    const EncoderLayer& layer = encoder->layers[i];
    add_linear(out, name + "attention.self.query", layer->attention->query);
    add_linear(out, name + "attention.self.key", layer->attention->key);
    add_linear(out, name + "attention.self.value", layer->attention->value);
    add_linear(out, name + "attention.output.dense", layer->attention->output);
    add_norm(out, name + "attention.output.LayerNorm", layer->attention_norm);
    add_linear(out, name + "intermediate.dense", layer->up);
    add_linear(out, name + "output.dense", layer->down);
    add_norm(out, name + "output.LayerNorm", layer->output_norm);
  }
  return out;
}

Status load_weights(const NamedTensors& targets, model::WeightFile& file) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    QIAO_ASSIGN(const model::Tensor source, file.read(name));
    if (target.sizes() != torch::IntArrayRef(source.shape)) {
      return Error{Code::kCorrupt, "tensor " + name + " has another shape than config.json says"};
    }
    // from_blob() takes no const; nothing writes there.
    target.copy_(torch::from_blob(const_cast<float*>(source.values.data()), source.shape));
  }
  return {};
}

}  // namespace qiao::learn
