// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "base/result.h"
#include "learn/commands/progress.h"
#include "learn/data/labels.h"
#include "learn/data/rows.h"

namespace qiao::learn {

// Of r_drop: 1 for labels of texts and pairs, without an adversary, when all epochs read at most
// three million tokens with it; else 0.
inline constexpr double kByTask = -1;

struct FinetuneOptions {
  std::string base;   // a name or folder (open_base)
  std::string train;  // JSON lines, perhaps gzipped
  std::string dev;
  std::string out;  // the bundle's folder; must not exist
  Task task = Task::kClassify;
  std::int64_t seed = 1;
  std::int64_t seeds = 1;     // runs with seed, seed + 1, …; the one best on dev is kept
  std::int64_t folds = 0;     // first tried on so many parts of train; 0: not
  std::int64_t epochs = 0;    // 0: by the number of rows
  std::int64_t contrast = 0;  // rounds of contrast_loss() before them; 0: none
  std::int64_t lora = 0;      // rank of adapters that learn in the encoder's place; 0: none
  std::int64_t batch = 0;     // texts; 0: 32, for tags 8
  double rate = 0;            // highest learning rate; 0: 2e-4, for tags 1e-4
  double head_rate = 10;      // the head's, as a multiple of it
  double layer_decay = 0.9;   // of the rate, from each layer to the one below
  double warmup = 0.1;        // share of the steps
  double dropout = 0.1;
  double smoothing = 0.1;      // of the labels; tags have none
  double adversary = 0;        // length of the push against the word vectors; 0: none
  double r_drop = kByTask;     // weight of what two dropouts differ by; 0: one dropout
  bool class_weights = false;  // rare labels count more
  std::int64_t tokens_max = 256;
  bool bfloat16 = true;         // where the CPU can
  std::int64_t stop_after = 0;  // save and stop after this many steps in all; 0: never
  bool resume = false;
};

// Trains a base on `train`, keeps the epoch that is best on `dev` and writes it as the bundle
// `out`. Until then everything stands in `out`.partial, also the state from which `resume` goes on
// with the same losses. Blocks; looks at `stop` after every step and then saves and returns
// `cancelled`. The same seed on the same machine with the same threads gives the same bundle.
//
// With `folds` each part of train is first left out once and measured by what the others teach: the
// figures stand in the card. With `seeds` or `folds` the runs on the way stand in `out`.seed1,
// `out`.fold1 and so on, and go when `out` stands; `resume` takes those that are done as they are,
// and refuses those of other options or data.
//
// Returns the card (see Bundle). Errors: a bad row (file and line), a base that does not fit (the
// tensor), a loss that is not a number (the rows of the batch), a full disk.
Result<Json> finetune(Disk& disk, const FinetuneOptions& options, Progress& progress,
                      const std::atomic<bool>& stop);

// What any training by these options needs; an Error names the option.
Status check_options(const FinetuneOptions& options);

// Tells of rows whose label is none of those of `whose` (a file or a bundle); invalid_argument when
// they are more than a fifth, or when one has a label for a head that is not there.
Status check_labels(const RowFile& rows, const Labels& labels, const std::string& whose,
                    Progress& progress);

}  // namespace qiao::learn
