// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/models/encoder.h"
#include "model/bundle/wordpiece.h"

namespace qiao::learn {

// An encoder without a head for a task: what `train pretrain --arch bert` and `import` leave and
// open_base() reads. A folder with model.safetensors (Hugging Face's names for BertForMaskedLM),
// config.json, tokenizer.json and card.json.
struct EncoderBundle {
  EncoderShape shape;
  model::WordPiece tokenizer;
  NamedTensors weights;  // weights_of() of an Encoder, or of a MaskedModel
  Json card;
};

// Writes every file into `folder`, which must exist; each appears whole or not at all.
Status save_encoder(Disk& disk, const std::string& folder, const EncoderBundle& bundle);

}  // namespace qiao::learn
