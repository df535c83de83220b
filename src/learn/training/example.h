// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/language.h"
#include "base/result.h"

namespace qiao::learn {

struct ExampleOptions {
  std::string base = "bge-small-zh";
  std::int64_t seed = 1;
  std::int64_t epochs = 3;
  double rate = 1e-4;
  bool original = false;
  Language language = Language::kEnglish;
};

// What the example came to, for tests.
struct ExampleResult {
  double first_loss = 0;  // of the first epoch
  double last_loss = 0;
  double test_loss = 0;         // on three texts that were not learnt
  std::int64_t test_right = 0;  // of three
};

// The worked example of the article this project starts from: a BERT encoder, dropout 0.1, a linear
// head for three classes, cross-entropy, Adam, three texts, three epochs of batches of one. Prints
// `Epoch [1/3], Loss: …` and `Test Loss: …`, and what of the original had to be put right. With
// `original` it runs the original's steps instead and prints how each of them fails.
// `print` gets one line at a time. Blocks; `cancelled` when `stop` becomes true.
Result<ExampleResult> run_example(const ExampleOptions& options, const std::atomic<bool>& stop,
                                  const std::function<void(const std::string&)>& print);

}  // namespace qiao::learn
