// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/commands/progress.h"

namespace qiao::learn {

struct PruneOptions {
  std::string bundle;        // a bundle of ours, or a llama-like decoder (open_decoder)
  std::string data;          // labelled rows (a decoder: plain text) that tell what is important
  std::string dev;           // … and what is lost
  std::string out;           // a folder; must not exist
  double heads = 1;          // share that stays
  double inner = 1;          // share of the feed-forward neurons that stays
  std::int64_t layers = 0;   // that stay; 0: all
  bool vocabulary = false;   // only the pieces that `data` uses, control pieces and single letters
  bool per_layer = false;    // the least important of all layers go: layers differ in width
  std::int64_t recover = 0;  // epochs of training on `data` afterwards, taught by what it was
  double rate = 1e-4;        // of them
  std::int64_t seed = 1;
  bool bfloat16 = true;
  bool resume = false;    // the training of `recover`, or the measuring behind it
  double allow_loss = 1;  // points; negative: any
};

// Takes the least important (importance.h) heads, neurons, layers and pieces of the vocabulary out:
// rows and columns are gone, not zeroed. Measures both as they are served and writes `out` when it
// passes the gate (shrink.h). Neurons are cut in steps of 32, so that rows divide into GGUF's
// blocks.
//
// llama.cpp's BERT has one width for all layers, and one for queries, keys and values: a bundle
// that is served gets zeros where heads are missing, and where a layer has fewer neurons than the
// widest. That gives the same answers; time is saved by layers, pieces, and neurons without
// `per_layer`. A decoder (llama) is written as GGUF's `deci`, which has widths of its own in each
// layer; `out` is a language bundle with model.gguf. Returns what measure_shrunk() tells.
Result<Json> prune(Disk& disk, const PruneOptions& options, Progress& progress,
                   const std::atomic<bool>& stop);

}  // namespace qiao::learn
