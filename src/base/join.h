// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace qiao {

// The texts of a range, one behind another, with `between` between two. Pure.
template <class Texts>
std::string join(const Texts& texts, std::string_view between) {
  std::string all;
  bool first = true;
  for (const std::string_view text : texts) {
    if (!first) all.append(between);
    all.append(text);
    first = false;
  }
  return all;
}

}  // namespace qiao
