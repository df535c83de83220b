// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/disk.h"
#include "base/executor.h"
#include "log/log.h"

namespace qiao {

struct SegmentLogOptions {
  std::string directory;
  std::uint64_t segment_bytes = 64 << 20;
  std::size_t append_bytes_max = 256 << 20;  // waiting for the writer
  bool sync = true;                          // false: durability() is kMemory
  // Writes in steps on this executor, which must outlive the log and is the thread of all calls:
  // a simulation owns the order. Null: a writer thread of the log's own.
  Executor* writer = nullptr;
};

// What open() found and did, for people.
struct SegmentLogRecovery {
  std::uint64_t records = 0;
  std::uint64_t torn_bytes = 0;  // cut off the tail of the last segment
  std::string torn_file;
};

// A Log in append-only files: docs/internals/log.md gives the format. One writer thread writes
// all waiting batches with one write and one fdatasync, then runs their `done`s in order.
// A failed write or fdatasync closes the log for good: no retry (the page may be lost).
// open() cuts a torn tail of the last segment and reports it; damage elsewhere is `corrupt`,
// named by file and byte, and nothing is changed.
class SegmentLog final : public Log {
 public:
  // `disk` must outlive the log.
  static Result<std::unique_ptr<SegmentLog>> open(Disk& disk, SegmentLogOptions options,
                                                  SegmentLogRecovery* recovery = nullptr);
  ~SegmentLog() override;

  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override;
  Result<std::vector<LogEntry>> read(std::uint64_t from, std::size_t count_max,
                                     std::size_t bytes_max) override;
  Status trim(std::uint64_t floor) override;
  Status save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> load_snapshot() override;
  [[nodiscard]] LogBounds bounds() const override;
  [[nodiscard]] Durability durability() const override;
  Status close() override;

 private:
  class Impl;
  explicit SegmentLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao
