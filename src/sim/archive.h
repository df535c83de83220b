// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "log/log.h"

namespace qiao::sim {

// Follows the log as the history does and keeps all of it, also what retention trims. It copies
// what is durable, so no crash may take that from the log. One thread; outlives every server.
class Archive {
 public:
  // What the log has to keep for it.
  [[nodiscard]] std::uint64_t next() const { return entries_.size(); }
  Status follow(Log& log);
  // Once the run is over: what the log still has holds. Tells how its copy differs.
  Result<std::vector<std::string>> settle(Log& log);
  // Records by offset, from 0 on.
  [[nodiscard]] const std::vector<LogRecord>& entries() const { return entries_; }

 private:
  std::vector<LogRecord> entries_;
};

}  // namespace qiao::sim
