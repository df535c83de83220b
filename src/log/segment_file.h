// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "log/segment_format.h"

namespace qiao::segment {

// Views into a file through one buffer, so that small reads cost no call. One thread at a time.
class FileWindow {
 public:
  FileWindow(DiskFile& file, std::size_t step) : file_(file), step_(step) {}
  // Up to `size` bytes at `position`, fewer only at the end; valid until the next call.
  Result<std::string_view> at(std::uint64_t position, std::size_t size);

 private:
  DiskFile& file_;
  std::size_t step_;
  std::uint64_t begin_ = 0;
  std::string bytes_;
};

// Where frames begin, one mark about every 4 KiB: 16 bytes for each. Offsets and positions rise.
class SparseIndex {
 public:
  void add(std::uint64_t offset, std::uint64_t position);
  // Position of a frame at or before the one that holds `offset`.
  [[nodiscard]] std::uint64_t find(std::uint64_t offset) const;

 private:
  static constexpr std::uint64_t kGap = 4'096;
  struct Mark {
    std::uint64_t offset;
    std::uint64_t position;
  };
  std::vector<Mark> marks_;
};

// What is known of one segment file. A plain value; the log's mutex guards it.
struct Segment {
  std::string path;
  FileHeader header;
  std::uint64_t next = 0;                // offset after the last record
  std::uint64_t end = kFileHeaderBytes;  // position after the last whole frame
  std::uint32_t chain = 0;               // sum of the last frame
  bool sealed = false;                   // the last frame is a seal
  SparseIndex index;
};

struct ReadLimits {
  std::uint64_t from = 0;
  std::size_t count_max = 0;
  std::size_t bytes_max = 0;
};
// A part of a segment to read: whole frames.
struct ReadRange {
  std::string path;
  std::uint32_t seed = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};
// Entries of the range within the limits, at least one if there is one. Checks every sum it passes.
Result<std::vector<LogEntry>> read_entries(DiskFile& file, const ReadRange& range,
                                           const ReadLimits& limits);

// Makes a segment file and brings it and its name to disk.
struct NewSegment {
  std::shared_ptr<Segment> segment;
  std::unique_ptr<DiskFile> file;
};
Result<NewSegment> create_segment(Disk& disk, const std::string& directory, std::uint64_t first,
                                  std::uint32_t chain, std::uint64_t preallocate_bytes);

Error damaged(const std::string& path, std::uint64_t position, std::string_view what);

}  // namespace qiao::segment
