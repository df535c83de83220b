// SPDX-License-Identifier: Apache-2.0
#include "sim/archive.h"

#include <algorithm>

namespace qiao::sim {
namespace {

constexpr std::size_t kReadCount = 4'096;
constexpr std::size_t kReadBytes = 16 << 20;

}  // namespace

Status Archive::follow(Log& log) {
  const LogBounds bounds = log.bounds();
  while (next() < bounds.durable) {
    QIAO_ASSIGN(std::vector<LogEntry> read, log.read(next(), kReadCount, kReadBytes));
    for (LogEntry& entry : read) {
      if (entry.offset < bounds.durable) entries_.push_back(std::move(entry.record));
    }
  }
  return {};
}

Result<std::vector<std::string>> Archive::settle(Log& log) {
  std::vector<std::string> differences;
  const LogBounds bounds = log.bounds();
  if (bounds.next < next()) {
    differences.push_back("the log has lost its records from " + std::to_string(bounds.next) +
                          " on, which were durable");
    entries_.resize(bounds.next);
  }
  for (std::uint64_t at = bounds.first; at < next();) {
    QIAO_ASSIGN(std::vector<LogEntry> read, log.read(at, kReadCount, kReadBytes));
    for (LogEntry& entry : read) {
      if (entry.offset >= next()) break;
      LogRecord& copy = entries_[entry.offset];
      if (copy.kind != entry.record.kind || copy.bytes != entry.record.bytes)
        differences.push_back("record " + std::to_string(entry.offset) + " is another one now");
      copy = std::move(entry.record);
    }
    at = read.back().offset + 1;
  }
  QIAO_TRY(follow(log));
  return differences;
}

}  // namespace qiao::sim
