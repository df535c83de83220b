// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace qiao {

// The machine's milliseconds since an arbitrary start; never goes back. For limits of waits on the
// outside (sockets, SQLite, child processes); what a test or simulation drives has a Clock.
inline std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace qiao
