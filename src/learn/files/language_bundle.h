// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/disk.h"
#include "learn/models/language_model.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

// What pre-training leaves: a folder with model.safetensors, config.json (sizes), characters.json
// or tokenizer.gguf (the vocabulary) and card.json (what it was made of and how well it does); a
// decoder also as model.gguf, for serving.
struct LanguageBundle {
  LanguageModelShape shape;
  std::shared_ptr<const TextCodec> codec;
  std::shared_ptr<LanguageModel> model;
  Json card;
};

Status save_language_bundle(Disk& disk, const std::string& folder, const LanguageBundle& bundle);
// `dropout` is that of a training that goes on.
Result<LanguageBundle> load_language_bundle(const std::string& folder, double dropout = 0);

struct SampleOptions {
  std::string prompt = "\n";
  std::int64_t tokens = 200;
  double temperature = 0.8;  // 0: always the likeliest
  std::int64_t seed = 1;
};
// Goes on with the prompt, one token at a time, until the model ends the text.
// invalid_argument when the model knows nothing of the prompt; `cancelled` when `stop` (null: none)
// becomes true.
Result<std::string> sample(const LanguageBundle& bundle, const SampleOptions& options,
                           const std::atomic<bool>* stop = nullptr);

}  // namespace qiao::learn
