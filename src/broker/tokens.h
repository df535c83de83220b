// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "message/message.h"

namespace qiao::broker {

// About how many tokens a model reads in a message: four bytes of ASCII make one, and so does
// every character beyond (a Chinese one mostly does). Good for sharing work out, not for bills.
inline std::uint64_t estimate_tokens(const Message& message) {
  std::uint64_t ascii = 0;
  std::uint64_t wide = 0;
  for (const Part& part : message.parts) {
    if (part.kind != Part::Kind::kText && part.kind != Part::Kind::kJson) continue;
    for (const char c : part.data) {
      const auto byte = static_cast<unsigned char>(c);
      ascii += byte < 0x80;
      wide += byte >= 0xc0;  // begins a character
    }
  }
  return (ascii + 3) / 4 + wide;
}

}  // namespace qiao::broker
