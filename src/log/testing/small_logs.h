// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "log/segment_log.h"
#include "log/testing/faulty_disk.h"

// Small logs of texts, for the tests of SegmentLog.
namespace qiao::testing {

inline const std::string kDirectory = "log";
inline const std::string kFirstFile = "log/00000000000000000000.seg";

inline SegmentLogOptions small(std::uint64_t segment_bytes = 1 << 16) {
  SegmentLogOptions options;
  options.directory = kDirectory;
  options.segment_bytes = segment_bytes;
  return options;
}

inline std::unique_ptr<SegmentLog> open_log(FaultyDisk& disk, SegmentLogOptions options = small(),
                                            SegmentLogRecovery* recovery = nullptr) {
  auto log = SegmentLog::open(disk, std::move(options), recovery);
  EXPECT_TRUE(log) << log.error().message;
  return log ? std::move(*log) : nullptr;
}

inline std::vector<LogRecord> batch_of(const std::vector<std::string>& texts) {
  std::vector<LogRecord> batch;
  for (const std::string& text : texts)
    batch.push_back({static_cast<std::uint8_t>(text.size() % 7), text});
  return batch;
}

// Appends and waits until the batch is durable or has failed.
inline Status append(Log& log, const std::vector<std::string>& texts) {
  auto finished = std::make_shared<std::promise<Status>>();
  std::future<Status> future = finished->get_future();
  const auto offset =
      log.append(batch_of(texts), [finished](Status status) { finished->set_value(status); });
  if (!offset) return offset.error();
  return future.get();
}

inline std::vector<std::string> texts_of(Log& log, std::uint64_t from = 0) {
  std::vector<std::string> texts;
  for (;;) {
    const auto entries = log.read(from, 100, 1 << 20);
    EXPECT_TRUE(entries) << entries.error().message;
    if (!entries || entries->empty()) return texts;
    for (const LogEntry& entry : *entries) {
      EXPECT_EQ(entry.offset, from++);
      EXPECT_EQ(entry.record.kind, entry.record.bytes.size() % 7);
      texts.push_back(entry.record.bytes);
    }
  }
}

}  // namespace qiao::testing
