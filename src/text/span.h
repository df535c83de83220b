// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

namespace qiao {

// Something a pattern found in a text.
struct Span {
  std::string kind;       // "phone", "amount" …
  std::string text;       // as written
  std::string value;      // normalised: digits only, ISO date, "12.50 CNY" …
  std::size_t begin = 0;  // byte range in the text
  std::size_t end = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

}  // namespace qiao
