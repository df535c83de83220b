// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <limits>
#include <string>

#include "base/result.h"

namespace qiao::learn {

// An option that takes a number which is not negative.
struct NumberOption {
  const char* name;
  double value;
  bool share = false;  // and less than 1
};

// invalid_argument with the name of the first that is out of its range, infinite or no number.
inline Status check_numbers(std::initializer_list<NumberOption> options) {
  for (const auto& [name, value, share] : options) {
    const double end = share ? 1 : std::numeric_limits<double>::infinity();
    if (value >= 0 && value < end) continue;
    return invalid_argument(std::string(name) + (share ? " must be from 0 to less than 1"
                                                       : " must be a number that is not negative"));
  }
  return {};
}

}  // namespace qiao::learn
