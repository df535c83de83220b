// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/models/language_model.h"
#include "learn/training/ranks.h"
#include "learn/training/step_loop.h"

namespace qiao::learn {

// The defaults are nanoGPT's published configuration for a CPU
// (github.com/karpathy/nanoGPT, README: Shakespeare characters, validation loss 1.88).
struct PretrainOptions : StepOptions {  // rate 0: rate_from_nothing() or kRateFromBase
  PretrainOptions() { batch = 12; }     // stretches of text in one step

  std::string text;       // a file of plain text, perhaps gzipped, or a folder of tokens
  std::string separator;  // what stands between documents in it; "": nothing
  std::string tokenizer;  // a folder that `train tokenizer` made; "": the text's characters
  std::string base;       // a decoder to go on from; "": from nothing
  // What the base must be; nullopt: anything that can go on.
  std::optional<Architecture> base_architecture;
  LanguageModelShape shape;  // its vocabulary is the text's characters; with a base only `context`
  std::int64_t at_once = 0;  // stretches computed at once, gradients are added up; 0: all
  double weight_decay = 0.1;
  double dropout = 0;
  double held_out = 0.1;      // the end of the text, for validation
  std::int64_t written = 40;  // tokens the model writes at each look, for people to see
  bool bfloat16 = true;
};

inline constexpr double kRateFromBase = 5e-5;
// 2e-3 for models of up to 128 wide; wider ones want it lower in inverse proportion (Yang et al.
// 2022, for Adam). On Tiny Shakespeare 1e-3 ends 0.08 above it (docs/performance.md).
double rate_from_nothing(const LanguageModelShape& shape);

// Trains a model of the next token and writes it as the bundle `out`: the state with the lowest
// validation loss; a decoder also as model.gguf. From nothing tokens are the tokenizer's, or
// characters; with a base its vocabulary, sizes and weights are taken over (continued
// pre-training). Saves, stops and resumes as finetune() does, to the same bits. Returns the card
// (`validation_loss` over the whole held-out text, `curve`, `weights`, `tokens_per_second`).
Result<Json> pretrain(Disk& disk, const PretrainOptions& options, Progress& progress,
                      const std::atomic<bool>& stop);
// The same by several processes, each with a part of every batch; returns null in all but the
// first.
Result<Json> pretrain(Disk& disk, const PretrainOptions& options, Progress& progress,
                      const std::atomic<bool>& stop, Ranks& ranks);

}  // namespace qiao::learn
