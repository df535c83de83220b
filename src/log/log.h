// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao {

// How safe an acked record is.
enum class Durability : std::uint8_t {
  kMemory = 0,           // lost with the process
  kFsync = 1,            // on this machine's disk
  kReplicated = 2,       // in the memory of a majority
  kReplicatedFsync = 3,  // on the disks of a majority
};
std::string_view name_of(Durability durability);

// One record as stored. `kind` belongs to the broker (broker/record.h); the log does not look in.
struct LogRecord {
  std::uint8_t kind = 0;
  std::string bytes;
};
struct LogEntry {
  std::uint64_t offset = 0;
  LogRecord record;
};

// State of everything before `next_offset`, as one blob of the owner's.
struct Snapshot {
  std::uint64_t next_offset = 0;
  std::string bytes;
};

struct LogBounds {
  std::uint64_t first = 0;    // oldest kept
  std::uint64_t next = 0;     // what the next append gets
  std::uint64_t durable = 0;  // everything below survives what durability() promises
};

// The ordered record log of one partition: the only truth. Offsets start at 0, rise by one and
// are never reused.
//
// One owner appends (JetStream fences others off by expected sequence), so append() knows the
// offset at once and reports durability later. Owned by server/app; outlives the Broker on it.
// Thread rule: append, trim, save_snapshot from the owner's loop; read and bounds from any thread.
// At most `append_bytes_max` bytes wait; past that append() is `overloaded` and nothing changes.
class Log {
 public:
  // Success: the whole batch has reached durability(). Error: none of it may be relied on and
  // the log is closed; every later call gives the same Error, but read() below bounds().durable.
  using AppendDone = std::function<void(Status)>;

  Log() = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  virtual ~Log() = default;

  // Queues `batch` as one atomic unit (all or nothing after a crash) and returns the offset of
  // its first record; never blocks. `done` runs once, in order, on the log's own thread: post to
  // your loop. Requires: `batch` not empty.
  virtual Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) = 0;

  // Entries from `from` on (also not yet durable ones), at most `count_max` and about
  // `bytes_max` bytes, but at least one if there is one. May block on disk. Damage is `corrupt`
  // and names file and place; `from` below bounds().first is `not_found`.
  virtual Result<std::vector<LogEntry>> read(std::uint64_t from, std::size_t count_max,
                                             std::size_t bytes_max) = 0;

  // Allows records below `floor` to go; the log keeps more when that is simpler (whole segments).
  virtual Status trim(std::uint64_t floor) = 0;

  // Keeps the newest snapshots only. May block; call off the loop.
  virtual Status save_snapshot(const Snapshot& snapshot) = 0;
  virtual Result<std::optional<Snapshot>> load_snapshot() = 0;

  [[nodiscard]] virtual LogBounds bounds() const = 0;
  [[nodiscard]] virtual Durability durability() const = 0;

  // Writes what waits, closes. Later appends are `unavailable`.
  virtual Status close() = 0;
};

}  // namespace qiao
