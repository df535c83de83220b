// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"
#include "learn/models/lora.h"

namespace qiao::learn {

struct InstructOptions {
  std::string base;   // a decoder with a chat form, as open_decoder() takes it
  std::string train;  // conversations
  std::string dev;    // ""; the last twentieth of `train`
  std::string out;    // the bundle's folder; must not exist
  LoraOptions lora;
  std::int64_t epochs = 2;
  std::int64_t batch = 8;     // conversations in one step
  std::int64_t at_once = 0;   // of them computed at once, gradients are added up; 0: all
  double rate = 2e-4;         // highest; falls to 0
  double warmup = 0.05;       // share of the steps
  std::int64_t tokens = 512;  // longest conversation; the rest is cut
  std::int64_t seed = 1;
  std::int64_t stop_after = 0;  // save and stop after this many steps in all; 0: never
  bool bfloat16 = true;
  bool resume = false;
};

// Teaches a decoder to answer: LoRA adapters learn from the assistant's words in conversations of
// the model's own chat form, everything else stays. Keeps the epoch with the lowest loss on dev and
// writes the bundle `out`: adapter.gguf (beside the base), model.gguf (base and adapter in one) and
// card.json. Saves, stops and resumes as pretrain() does, to the same bits. Returns the card
// (`dev_loss`, `base_loss` before it learnt, `curve`, …).
Result<Json> instruct(Disk& disk, const InstructOptions& options, Progress& progress,
                      const std::atomic<bool>& stop);

}  // namespace qiao::learn
