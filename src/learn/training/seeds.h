// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace qiao::learn {

// A seed for the `b`-th thing of the run with seed `a` (splitmix64's finaliser, Steele et al.
// 2014): chance at a step depends on these two alone, so that a resumed run repeats it.
constexpr std::uint64_t mix_seed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a * 0x9E3779B97F4A7C15U + b + 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

}  // namespace qiao::learn
