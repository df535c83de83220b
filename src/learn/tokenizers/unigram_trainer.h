// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

struct UnigramOptions {
  std::size_t vocabulary = 8000;
  double coverage = 0.9998;  // of the characters; rarer ones are unknown
};
// Learns a model by the library SentencePiece; the bytes of a .model file. `lines` are without line
// feeds, which are a piece of their own. The same lines give the same model. All lines are in
// memory, and ten times as much while it learns.
//
// The library works in a program of its own, qiao-unigram (beside this one, or QIAO_UNIGRAM): it
// brings a protobuf that libtorch's does not bear in the same process. Blocks.
Result<std::string> learn_unigram(const std::vector<std::string>& lines,
                                  const UnigramOptions& options);

}  // namespace qiao::learn
