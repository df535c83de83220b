// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include "learn/models/encoder.h"

namespace qiao::learn {

// An encoder that guesses hidden pieces (Devlin et al. 2019): each vector goes through one more
// layer and norm, and is compared with every piece of the word table. One thread at a time.
class MaskedModelImpl : public torch::nn::Module {
 public:
  MaskedModelImpl(const EncoderShape& shape, double dropout);
  // ids [batch, tokens] without padding; places among the flattened ids → scores
  // [places, vocabulary].
  torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& places);

  // Weights of chance with BERT's own spread, biases of 0.
  void begin_by_chance();

  Encoder encoder;
  torch::nn::Linear transform;
  torch::nn::LayerNorm norm;
  torch::Tensor bias;  // [vocabulary]
};
TORCH_MODULE(MaskedModel);

// By Hugging Face's names for BertForMaskedLM, without `bert.` before the encoder's.
NamedTensors weights_of(const MaskedModel& model);
// The head's alone (`cls.predictions.…`).
NamedTensors head_weights_of(const MaskedModel& model);

}  // namespace qiao::learn
