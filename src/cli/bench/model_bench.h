// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/session.h"

namespace qiao::cli {

struct ModelBenchOptions {
  std::string model;   // name of an installed model
  std::string engine;  // "worker" or "in-process"
  int conversations = 8;
  int threads = 0;
  double seconds = 3;
  std::string text;
  int tokens = 64;  // longest answer
};

// The bare model, no server: answers decoded side by side, with the same system prompt. Blocks.
Result<Json> bench_generator(const ModelBenchOptions& options);

// Texts a second of an encoder, and the time of one alone. Blocks.
Result<Json> bench_encoder(const ModelBenchOptions& options);

}  // namespace qiao::cli
