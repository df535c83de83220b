// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace qiao::broker {

// Spreads the bits of a number (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
inline std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// A 64-bit hash that stays the same in every version: it is stored in snapshots. Not against
// attackers: whoever relies on equality compares the texts too.
inline std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0x9e3779b97f4a7c15 ^ text.size();
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = mix(hash + word) * 0x9e3779b97f4a7c15;
    text.remove_prefix(8);
  }
  std::uint64_t rest = 0;
  if (!text.empty()) std::memcpy(&rest, text.data(), text.size());
  return mix(hash + rest);
}

}  // namespace qiao::broker
