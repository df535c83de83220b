// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <string>
#include <utility>
#include <vector>

#include "learn/models/encoder_shape.h"
#include "learn/models/projection.h"
#include "model/convert/convert_weights.h"

namespace qiao::learn {

// What a layer's attention compares and mixes, [batch, tokens, heads · head width].
struct Relations {
  torch::Tensor query, key, value;
};

// Multi-head self-attention with its output projection.
class SelfAttentionImpl : public torch::nn::Module {
 public:
  SelfAttentionImpl(const EncoderShape& shape, std::size_t layer, double dropout);
  // x [batch, tokens, width]; mask as attention() takes it. The result has one vector for each of
  // `asking`, which are the tokens that look: x, or some of it. `seen`, if not null, gets what it
  // computed on the way.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& asking,
                        const torch::Tensor& mask, Relations* seen);

  Projection query{nullptr}, key{nullptr}, value{nullptr}, output{nullptr};

 private:
  std::int64_t heads_;
  double dropout_;
};
TORCH_MODULE(SelfAttention);

// One block of BERT: attention, then feed-forward, each added to its input and normed after.
// GELU by tanh, as llama.cpp runs it.
class EncoderLayerImpl : public torch::nn::Module {
 public:
  EncoderLayerImpl(const EncoderShape& shape, std::size_t layer, double dropout);
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& mask,
                        Relations* seen = nullptr);
  // The first token's part of forward() alone: [batch, 1, width].
  torch::Tensor first(const torch::Tensor& x, const torch::Tensor& mask);

  SelfAttention attention;
  torch::nn::LayerNorm attention_norm;
  Projection up, down;
  torch::nn::LayerNorm output_norm;

 private:
  torch::Tensor finish(const torch::Tensor& asking, const torch::Tensor& looked);

  double dropout_;
};
TORCH_MODULE(EncoderLayer);

// A BERT encoder. `segments` [batch, tokens] (int64) says which of two texts a token is of;
// undefined: all are of the first, as the models we serve see them.
// One thread at a time.
class EncoderImpl : public torch::nn::Module {
 public:
  EncoderImpl(const EncoderShape& shape, double dropout);
  // ids [batch, tokens] (int64), present [batch, tokens] (bool) → [batch, tokens, width].
  // `seen` gets what the last layer's attention computed. Requires then: not a table.
  torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& present,
                        const torch::Tensor& segments = {}, Relations* seen = nullptr);
  // One vector a text, [batch, width]: pool() of forward(). What the pooling does not need of the
  // last layer is not computed: for the first token's vector, most of it.
  torch::Tensor vectors(const torch::Tensor& ids, const torch::Tensor& present,
                        const torch::Tensor& segments = {});

  [[nodiscard]] const EncoderShape& shape() const { return shape_; }

  torch::nn::Embedding words;
  torch::nn::Embedding positions{nullptr}, types{nullptr};  // null in a table
  torch::nn::LayerNorm norm{nullptr};
  std::vector<EncoderLayer> layers;

 private:
  torch::Tensor embed(const torch::Tensor& ids, const torch::Tensor& segments);

  EncoderShape shape_;
  double dropout_;
};
TORCH_MODULE(Encoder);

// One vector a text: the first token's, or the mean of those present.
torch::Tensor pool(const torch::Tensor& hidden, const torch::Tensor& present, Pooling pooling);

// Every weight of the encoder by Hugging Face's name, sharing memory with it (but an adapted
// layer's, which is whole()). Order: bottom to top.
using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;
NamedTensors weights_of(const Encoder& encoder);

// Fills `targets` from the file; an Error names the tensor that is missing or misshapen.
Status load_weights(const NamedTensors& targets, model::WeightFile& file);

}  // namespace qiao::learn
