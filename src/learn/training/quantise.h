// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"

namespace qiao::learn {

struct QuantiseOptions {
  std::string bundle;     // a bundle of ours, or a decoder (open_decoder)
  std::string type;       // int8 (a bundle); q8_0 or q4_k (a decoder); "": int8 or q8_0
  std::string dev;        // labelled rows, or a plain text for a decoder
  std::string out;        // a bundle's folder, or a GGUF file
  double allow_loss = 1;  // points; negative: any
};

// Stores a bundle's matrices as eight-bit numbers with one scale for each output channel, which the
// server runs as they are (GGUF's Q8_0 with that scale in every block); or a decoder's matrices by
// llama.cpp. Measures both as they are served, and writes `out` when it passes the gate (shrink.h).
// Returns what measure_shrunk() tells; of a decoder {before, after: {accuracy (of the next token),
// perplexity, bytes, ms_per_token}, lost, faster}.
Result<Json> quantise(Disk& disk, const QuantiseOptions& options, Progress& progress,
                      const std::atomic<bool>& stop);

}  // namespace qiao::learn
