// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "learn/models/encoder_shape.h"
#include "model/bundle/wordpiece.h"
#include "model/convert/convert_bert.h"
#include "model/convert/convert_weights.h"

namespace qiao::learn {

// A trained encoder to start from: sizes, tokenizer and weights by Hugging Face's names.
struct BaseModel {
  std::string name;
  std::string licence;  // "" when nothing says it
  std::string sha256;   // of the file with the weights
  EncoderShape shape;
  model::WordPiece tokenizer;
  std::unique_ptr<model::WeightFile> weights;
};

// `place`: the name of a model that `qiao model pull` got, or a folder: one of those, one in
// Hugging Face's form (config.json; model.safetensors or model.onnx; tokenizer.json or vocab.txt),
// or a bundle of ours; `1_Pooling/config.json` beside them says how the texts' vectors are made.
// The GGUF of a pulled model is read back (F32, F16, BF16, Q8_0). Weights are read only when asked
// for; tokenizer and word table must have one size.
Result<BaseModel> open_base(const std::string& place);

// The files of such a folder, a pulled model's excepted.
model::BertFiles encoder_files(const std::filesystem::path& folder);

}  // namespace qiao::learn
