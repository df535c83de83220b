// SPDX-License-Identifier: Apache-2.0
#include "log/memory_log.h"

#include <iterator>

namespace qiao {
namespace {

Error closed() {
  return unavailable("the log is closed");
}

}  // namespace

Result<std::uint64_t> MemoryLog::append(std::vector<LogRecord> batch, AppendDone done) {
  std::uint64_t first = 0;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return closed();
    first = first_ + records_.size();
    std::move(batch.begin(), batch.end(), std::back_inserter(records_));
  }
  if (done) done({});
  return first;
}

Result<std::vector<LogEntry>> MemoryLog::read(std::uint64_t from, std::size_t count_max,
                                              std::size_t bytes_max) {
  std::lock_guard lock(mutex_);
  if (from < first_) return not_found("offset " + std::to_string(from) + " is no longer kept");
  std::vector<LogEntry> entries;
  std::size_t bytes = 0;
  for (std::uint64_t at = from; at - first_ < records_.size() && entries.size() < count_max; ++at) {
    const LogRecord& record = records_[at - first_];
    if (!entries.empty() && bytes + record.bytes.size() > bytes_max) break;
    bytes += record.bytes.size();
    entries.push_back({at, record});
  }
  return entries;
}

Status MemoryLog::trim(std::uint64_t floor) {
  std::lock_guard lock(mutex_);
  for (; first_ < floor && !records_.empty(); ++first_) records_.pop_front();
  return {};
}

Status MemoryLog::save_snapshot(const Snapshot& snapshot) {
  std::lock_guard lock(mutex_);
  snapshot_ = snapshot;
  return {};
}

Result<std::optional<Snapshot>> MemoryLog::load_snapshot() {
  std::lock_guard lock(mutex_);
  return snapshot_;
}

LogBounds MemoryLog::bounds() const {
  std::lock_guard lock(mutex_);
  const std::uint64_t next = first_ + records_.size();
  return {first_, next, next};
}

Status MemoryLog::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  return {};
}

}  // namespace qiao
