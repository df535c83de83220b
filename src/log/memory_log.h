// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <mutex>

#include "log/log.h"

namespace qiao {

// A Log in memory: durable at once, gone with the process. `done` runs inside append().
class MemoryLog final : public Log {
 public:
  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override;
  Result<std::vector<LogEntry>> read(std::uint64_t from, std::size_t count_max,
                                     std::size_t bytes_max) override;
  Status trim(std::uint64_t floor) override;
  Status save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> load_snapshot() override;
  [[nodiscard]] LogBounds bounds() const override;
  [[nodiscard]] Durability durability() const override { return Durability::kMemory; }
  Status close() override;

 private:
  mutable std::mutex mutex_;
  std::deque<LogRecord> records_;
  std::uint64_t first_ = 0;
  std::optional<Snapshot> snapshot_;
  bool closed_ = false;
};

}  // namespace qiao
