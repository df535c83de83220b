// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace qiao {

struct HistoryCheck {
  bool there = false;
  std::uint64_t bytes = 0;
  std::string fault;  // "": SQLite finds every page and index whole
};

// Reads a history's file whole and changes nothing; a server may be using it. Damage is no Error:
// the history is a projection and is built anew from the log. Blocks.
Result<HistoryCheck> check_history(const std::string& path);

}  // namespace qiao
