// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "log/log.h"

// What a log's directory holds, read to the last byte without changing anything.
namespace qiao {

// Bytes that are not what was written, and the records that are gone with them.
struct LogDamage {
  std::string file;
  std::uint64_t byte = 0;          // the first place that is wrong
  std::uint64_t bytes = 0;         // from there to the next sound place of the file
  std::uint64_t first_offset = 0;  // of the lost records, if any
  std::uint64_t records = 0;
  std::string what;
};

struct SegmentReport {
  std::string file;
  std::uint64_t first = 0;    // offset
  std::uint64_t next = 0;     // after the last sound record
  std::uint64_t records = 0;  // sound ones
  std::uint64_t bytes = 0;
  std::uint64_t torn_bytes = 0;  // the end of the last file: a write that a crash cut short
  bool sealed = false;           // ends as a clean stop leaves it
  bool chained = false;          // carries the sum of the file before it
};

struct SnapshotReport {
  std::string file;
  std::uint64_t next_offset = 0;
  std::uint64_t bytes = 0;
  bool whole = false;
};

struct LogReport {
  std::vector<SegmentReport> segments;    // oldest first
  std::vector<SnapshotReport> snapshots;  // oldest first
  std::vector<LogDamage> damage;          // in the order of the log
  std::vector<std::string> unfinished;    // files whose writing was cut short; they hold nothing
  std::uint64_t first = 0;                // offset of the oldest record the files speak of
  std::uint64_t next = 0;                 // after the newest, also when it is lost
  std::uint64_t records = 0;              // sound ones
  std::uint64_t bytes = 0;                // of segments and snapshots
  std::uint64_t lost_records = 0;
  std::uint64_t torn_bytes = 0;

  [[nodiscard]] bool is_whole() const { return damage.empty(); }
};

// Sees each sound record, in order. An Error is damage at that record's place: its bytes are
// those that were written, but nobody can read them.
using RecordCheck = std::function<Status(const LogEntry& entry)>;

// Reads segments and snapshots of `directory`; judges as SegmentLog::open() does, but goes on
// behind damage and names each place. Damage is no Error: only a file that cannot be read is, and
// `not_found` when the directory has no log. Blocks; holds one frame at a time.
Result<LogReport> verify_log(Disk& disk, const std::string& directory,
                             const RecordCheck& check = {});

}  // namespace qiao
