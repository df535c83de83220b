// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "learn/files/encoder_bundle.h"
#include "learn/models/masked_model.h"
#include "learn/testing/tiny_encoder.h"

namespace qiao::learn::testing {

// BERT's control pieces, then letters.
inline model::WordPiece letter_pieces(std::int64_t count) {
  std::vector<std::string> pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (char letter = 'a'; static_cast<std::int64_t>(pieces.size()) < count; ++letter) {
    pieces.emplace_back(1, letter);
  }
  return model::WordPiece::make(std::move(pieces), {}).value();
}

// An encoder as pre-training leaves it, with weights of chance, each large enough to matter.
inline EncoderBundle chance_encoder(EncoderShape shape = tiny_encoder_shape()) {
  shape.pooling = Pooling::kMean;
  torch::manual_seed(7);
  const torch::NoGradGuard no_grad;
  const MaskedModel model(shape, 0);
  NamedTensors weights = weights_of(model);
  for (auto& [name, tensor] : weights) tensor.copy_(torch::randn_like(tensor) * 0.5);
  return {shape, letter_pieces(shape.vocabulary), std::move(weights), {{"licence", "MIT"}}};
}

}  // namespace qiao::learn::testing
