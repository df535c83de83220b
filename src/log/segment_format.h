// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/log.h"

// The bytes of segment and snapshot files; docs/internals/log.md is the specification.
namespace qiao::segment {

inline constexpr std::size_t kFileHeaderBytes = 32;
inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kRecordHeadBytes = 9;

// Begins a segment file. Its own sum seeds the sums of the file's frames, and `salt` is random, so
// that no bytes inside a message pass for a frame.
struct FileHeader {
  std::uint64_t first = 0;  // offset of the first record
  std::uint64_t salt = 0;
  std::uint32_t chain = 0;  // sum of the last frame of the file before
  std::uint32_t sum = 0;    // set by encode and decode
};
std::string encode(FileHeader& header);
std::optional<FileHeader> decode_file_header(std::string_view bytes);

// Begins a frame: some whole batches, valid together or not at all.
struct FrameHeader {
  std::uint64_t first = 0;
  std::uint32_t count = 0;       // records; 0 in the seal of a closed log
  std::uint32_t body_bytes = 0;  // heads and bytes of the records
  std::uint32_t chain = 0;       // sum of the frame before
  std::uint32_t heads_sum = 0;
  std::uint32_t sum = 0;    // of this header, and so of everything it sums
  bool after_sync = false;  // everything before it in the file was synced when it was written

  [[nodiscard]] std::uint64_t bytes() const { return kFrameHeaderBytes + body_bytes; }
  [[nodiscard]] std::size_t heads_bytes() const { return count * kRecordHeadBytes; }
};
// The header at the front of `bytes` if its sum is right. `seed` is FileHeader::sum.
std::optional<FrameHeader> decode_frame_header(std::string_view bytes, std::uint32_t seed);
// A cheap look before decoding, for a search through bytes of any kind.
bool may_be_frame(std::string_view bytes);

// Where a record of a frame is, from its head.
struct RecordHead {
  std::uint8_t kind = 0;
  std::uint32_t bytes = 0;
  std::uint32_t sum = 0;
};
RecordHead decode_record_head(std::string_view heads, std::size_t index);
bool sum_fits(const RecordHead& head, std::string_view bytes);
bool heads_fit(const FrameHeader& header, std::string_view heads);
// Sums of the heads, of every record and their sizes.
bool body_fits(const FrameHeader& header, std::string_view body);

// Writes frames one after another into a buffer. `after_sync` goes into the first one only.
class FrameWriter {
 public:
  FrameWriter(std::string& out, std::uint32_t seed, std::uint32_t chain)
      : out_(out), seed_(seed), chain_(chain) {}

  void add(const std::vector<LogRecord>& batch);
  // Ends the open frame. Requires: the records added since the last one start at `first`.
  FrameHeader finish(std::uint64_t first, bool after_sync);
  [[nodiscard]] std::size_t open_bytes() const { return open_bytes_; }
  [[nodiscard]] std::uint32_t chain() const { return chain_; }

 private:
  std::string& out_;
  std::uint32_t seed_;
  std::uint32_t chain_;
  std::vector<const LogRecord*> open_;
  std::size_t open_bytes_ = 0;
};

std::string encode_snapshot(const Snapshot& snapshot);
std::optional<Snapshot> decode_snapshot(std::string_view bytes);

// "00000000000000000042.seg": names sort like offsets.
std::string file_name(std::uint64_t offset, std::string_view suffix);
std::optional<std::uint64_t> offset_of_name(std::string_view name, std::string_view suffix);
inline constexpr std::string_view kSegmentSuffix = ".seg";
inline constexpr std::string_view kSnapshotSuffix = ".snap";

}  // namespace qiao::segment
