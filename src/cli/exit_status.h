// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

namespace qiao::cli {

// How the program ends (docs/reference/cli.md). A failure's status is its stable number plus 2,
// so that scripts tell the classes apart: invalid_argument 3, not_found 4 … internal 17.
inline constexpr int kExitOk = 0;
inline constexpr int kExitNegative = 1;  // it worked, and the result is "no": failed tests, faults
inline constexpr int kExitUsage = 2;     // the command line itself is wrong
inline constexpr int kExitInterrupted = 130;  // a second Ctrl-C, as shells count it

constexpr int exit_status(Code code) {
  return static_cast<int>(code) + 2;
}

}  // namespace qiao::cli
