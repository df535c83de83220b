// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"
#include "log/segment_file.h"

namespace qiao::segment {

// One accepted batch on its way to disk.
struct Batch {
  std::uint64_t first = 0;
  std::vector<LogRecord> records;
  std::size_t bytes = 0;
  Log::AppendDone done;
};

// What a group of batches changed in the last segment: applied under the log's mutex when synced.
struct Written {
  std::uint64_t next = 0;
  std::uint64_t end = 0;
  std::uint32_t chain = 0;
  bool sealed = false;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> frames;  // offset, position

  void apply(Segment& segment) const;
};

// Writes groups of batches to the end of the last segment: one write, one sync. The writer thread's
// own. After an Error it must not be used again.
class SegmentWriter {
 public:
  SegmentWriter(Disk& disk, std::string directory, std::uint64_t segment_bytes, bool sync,
                const Segment& last, std::unique_ptr<DiskFile> file);

  // Whether `bytes` more belong into a new segment.
  [[nodiscard]] bool is_full_for(std::size_t bytes) const;
  // Ends the segment and begins the next one.
  Result<std::shared_ptr<Segment>> roll();
  // Requires: `group` is not empty and follows what was written before.
  Result<Written> write(const std::vector<Batch>& group);
  // Marks that all before was synced; a clean end. Nothing if the last frame is a seal.
  Result<Written> seal();

 private:
  Result<Written> flush(Written written, bool sync);

  Disk& disk_;
  const std::string directory_;
  const std::uint64_t segment_bytes_;
  const bool sync_;
  std::unique_ptr<DiskFile> file_;
  std::uint32_t seed_;  // of the segment's sums
  std::uint32_t chain_;
  std::uint64_t next_;
  std::uint64_t end_;
  bool sealed_;
  std::string buffer_;
};

}  // namespace qiao::segment
