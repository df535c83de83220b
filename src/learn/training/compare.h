// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/json.h"
#include "learn/training/pretrain.h"

namespace qiao::learn {

struct CompareOptions {
  std::vector<Architecture> architectures;
  std::int64_t weights = 800'000;  // of each model: its width is chosen for it
  PretrainOptions each;            // text, steps and so on; `out` is the folder of all
};

// One line of the comparison.
struct Contestant {
  std::string name;
  std::int64_t width = 0;
  std::int64_t weights = 0;
  double validation_loss = 0;
  double seconds = 0;
  double tokens_per_second = 0;
  std::string precision;  // of its products, "bfloat16" or "binary32": times of one alone compare
};
Json table_json(const std::vector<Contestant>& table);

// The shape of `architecture` whose number of weights is nearest to `weights`.
Result<LanguageModelShape> shape_of_size(LanguageModelShape shape, std::int64_t weights);

// Pre-trains one model of each architecture with about the same number of weights on the same
// tokens, one after the other, into `out`/<architecture>, and writes `out`/compare.json (the
// options and the table), curves.csv and curves.svg (held-out loss over steps). Until all is there
// it stands in `out`.partial. `each.resume` takes models that are done as they are and goes on with
// the one that was stopped; `precondition` when options or text are others.
Result<std::vector<Contestant>> compare(Disk& disk, const CompareOptions& options,
                                        Progress& progress, const std::atomic<bool>& stop);

}  // namespace qiao::learn
