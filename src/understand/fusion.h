// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

namespace qiao {

// What an encoder says of a message and one example.
struct Nearness {
  double cosine = 0;
  double usual = 0;  // the message's cosine with anything (background.h)
};

// What is known of a message and one example.
struct Evidence {
  double lexical = 0;                // Bm25::likeness
  std::optional<Nearness> nearness;  // nothing without an encoder
};

// From this score on, a message rather means the same as the example than not.
inline constexpr double kEvenScore = 0.62;

// One score in [0,1], rising with everything in `evidence`, on one scale with an encoder or
// without: kEvenScore lies where accepting and refusing are right equally often, 0.86 where it most
// likely asks the same thing in other words. docs/concepts/understanding.md has the measurements.
double fuse(const Evidence& evidence);

}  // namespace qiao
