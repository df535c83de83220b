// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/data/masked_text.h"
#include "learn/models/encoder_shape.h"
#include "learn/training/ranks.h"
#include "learn/training/step_loop.h"

namespace qiao::learn {

struct MaskedOptions : StepOptions {  // rate 0: kMaskedRateFromNothing or kMaskedRateFromBase
  MaskedOptions() { batch = 32; }

  std::string text;           // a file, perhaps gzipped, each line a document; or token files
  std::string base;           // an encoder to go on from (open_base); "": from nothing
  std::string tokenizer;      // of WordPiece (open_text_codec); "": the text's (CorpusSource)
  EncoderShape shape;         // of an encoder from nothing; its vocabulary is the tokenizer's
  std::int64_t context = 64;  // tokens of one row
  std::int64_t at_once = 0;   // rows computed at once, gradients are added up; 0: all
  double weight_decay = 0.01;
  double dropout = 0.1;
  double held_out = 0.1;  // the end of the text, for validation
  MaskRules rules;
  bool bfloat16 = true;
};

inline constexpr double kMaskedRateFromNothing = 5e-4;
inline constexpr double kMaskedRateFromBase = 5e-5;

// Trains an encoder to guess hidden pieces (Devlin et al. 2019: 15 %, of which 80 % are masked, 10
// % replaced, 10 % kept) and writes the bundle `out` (model.safetensors with Hugging Face's names
// for BertForMaskedLM, config.json, tokenizer.json, card.json), which `train finetune --base`
// takes: the state with the lowest validation loss. Saves, stops and resumes as pretrain() does, to
// the same bits. Returns the card (`validation_loss`, `validation_accuracy` of hidden pieces,
// `curve`, …); null in all ranks but the first.
Result<Json> pretrain_masked(Disk& disk, const MaskedOptions& options, Progress& progress,
                             const std::atomic<bool>& stop, Ranks& ranks);

}  // namespace qiao::learn
