// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "understand/understander.h"

namespace qiao {

// An example that, taken out of its own label, lies nearer to another one, and near enough to be
// taken (kEvenScore): a message like it will be routed there.
struct Confusion {
  std::string label;      // where the example is written
  std::string example;    // its text
  std::string other;      // the label that would win
  double own = 0;         // score of `label` without the example
  double against = 0;     // score of `other`
  std::string neighbour;  // the example of `other` it is nearest to
};

inline constexpr std::size_t kConfusionsMax = 50;

// Leaves each example of `labels` (label → examples) out in turn and asks the others; the gravest
// first, at most kConfusionsMax. Labels with a single example are skipped. Blocks (encodes all
// examples, at most once); for `qiao validate`.
Result<std::vector<Confusion>> find_confusions(
    const std::map<std::string, std::vector<std::string>>& labels, Encoders encoders);

}  // namespace qiao
