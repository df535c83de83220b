// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

namespace qiao {

// What is known of a message and one example.
struct Evidence {
  double lexical = 0;            // Bm25::likeness
  std::optional<double> cosine;  // of the encoder's vectors; nothing without an encoder
};

// One score in [0,1] on one scale, with an encoder or without: about 0.62 is the least that means
// the same thing, 0.86 the least that asks the same thing in other words. Rises with both.
double fuse(const Evidence& evidence);

}  // namespace qiao
