// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/disk.h"
#include "learn/characters.h"
#include "learn/language_model.h"

namespace qiao::learn {

// What pre-training leaves: a folder with model.safetensors, config.json (sizes), characters.json
// (the vocabulary) and card.json (what it was made of and how well it does).
struct LanguageBundle {
  LanguageModelShape shape;
  Characters characters;
  std::shared_ptr<LanguageModel> model;
  Json card;
};

Status save_language_bundle(Disk& disk, const std::string& folder, const LanguageBundle& bundle);
Result<LanguageBundle> load_language_bundle(const std::string& folder);

struct SampleOptions {
  std::string prompt = "\n";
  std::int64_t characters = 200;
  double temperature = 0.8;  // 0: always the likeliest
  std::int64_t seed = 1;
};
// Goes on with the prompt, one character at a time. invalid_argument when the model knows no
// character of the prompt.
Result<std::string> sample(const LanguageBundle& bundle, const SampleOptions& options);

}  // namespace qiao::learn
