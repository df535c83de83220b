// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace qiao {

// Pseudo-random numbers from a seed (xoshiro256**, Blackman and Vigna 2018). One thread at a time.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  std::uint64_t next();
  // Uniform in [0, bound). Requires: bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  double unit();

 private:
  std::uint64_t state_[4];
};

// A seed from the operating system.
std::uint64_t random_seed();
// `bytes` bytes from the operating system's generator, in hexadecimal: for keys and tokens.
std::string random_hex(std::size_t bytes);

// Makes ULIDs (26 characters of Crockford's base 32, rising in time; github.com/ulid/spec),
// rising also within one millisecond. Thread-safe.
class IdMaker {
 public:
  IdMaker(const Clock& clock, std::uint64_t seed) : clock_(clock), rng_(seed) {}
  std::string next();

 private:
  const Clock& clock_;
  std::mutex mutex_;
  Rng rng_;
  std::int64_t last_ms_ = 0;
  std::uint64_t last_high_ = 0;  // the 16 high bits of the 80 random ones
  std::uint64_t last_low_ = 0;   // the 64 low bits
};

}  // namespace qiao
