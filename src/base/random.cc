// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <sys/random.h>

#include <bit>
#include <random>

namespace qiao {
namespace {

std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

}  // namespace

Rng::Rng(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = split_mix(seed);
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

// Lemire's multiply-shift with rejection (ACM TOMACS 2019): no modulo bias.
std::uint64_t Rng::below(std::uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(next()) * bound;
  if (auto low = static_cast<std::uint64_t>(product); low < bound) {
    const std::uint64_t threshold = -bound % bound;
    while (low < threshold) {
      product = static_cast<Wide>(next()) * bound;
      low = static_cast<std::uint64_t>(product);
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double Rng::unit() {
  return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed)) return seed;
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::string random_hex(std::size_t bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::uint64_t word = 0, left = 0; out.size() < bytes * 2; word >>= 8, --left) {
    if (left == 0) {
      word = random_seed();
      left = 8;
    }
    out += kHex[(word >> 4) & 15];
    out += kHex[word & 15];
  }
  return out;
}

std::string IdMaker::next() {
  std::int64_t time_ms = 0;
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  {
    std::lock_guard lock(mutex_);
    const std::int64_t now = clock_.wall_ms();
    if (now > last_ms_) {
      last_ms_ = now;
      last_high_ = rng_.next() & 0x7fff;  // the top bit stays free for the carry
      last_low_ = rng_.next();
    } else if (++last_low_ == 0) {
      ++last_high_;
    }
    time_ms = last_ms_;
    high = last_high_;
    low = last_low_;
  }
  std::string id(26, '0');
  for (int i = 9; i >= 0; --i, time_ms >>= 5)
    id[static_cast<std::size_t>(i)] = kCrockford[time_ms & 31];
  for (int i = 25; i >= 10; --i) {
    id[static_cast<std::size_t>(i)] = kCrockford[low & 31];
    low = (low >> 5) | (high << 59);
    high >>= 5;
  }
  return id;
}

}  // namespace qiao
