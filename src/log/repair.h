// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "log/verify.h"

namespace qiao {

struct LogRepairOptions {
  LogRecord filler;    // stands at the offset of each lost record
  std::string suffix;  // the original becomes "<directory>.before-repair-<suffix>"
  RecordCheck check;   // as of verify_log(): what it refuses is lost
};

struct OffsetRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

struct LogRepair {
  std::string original;  // the directory with the damaged files; "": nothing was changed
  std::uint64_t kept_records = 0;
  std::vector<OffsetRange> lost;  // in order; the filler stands there now
  bool kept_snapshot = false;     // else the state is built from the records alone
};

// Writes what verify_log() proved whole into a new log, every record at its old offset, and puts
// it in the place of the damaged one, which is kept beside as it was. Nothing is changed when
// nothing is damaged, or when this fails. Needs the room of a second log. Blocks.
// Requires: nobody else uses the directory.
Result<LogRepair> repair_log(Disk& disk, const std::string& directory,
                             const LogRepairOptions& options);

// `precondition` where a repair was cut short between its last two steps: repair_log() ends it.
Status check_no_repair_is_open(Disk& disk, const std::string& directory);

}  // namespace qiao
