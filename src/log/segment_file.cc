// SPDX-License-Identifier: Apache-2.0
#include "log/segment_file.h"

#include <algorithm>

#include "base/random.h"

namespace qiao::segment {
namespace {

constexpr std::size_t kReadStepMin = 8 << 10;  // one small message and its neighbours
constexpr std::size_t kReadStepMax = 1 << 20;

bool is_full(const std::vector<LogEntry>& entries, std::size_t bytes, const ReadLimits& limits) {
  return entries.size() >= limits.count_max || (!entries.empty() && bytes > limits.bytes_max);
}

// The entries of one frame that are within the limits. `bytes` counts over all frames.
Status read_frame(FileWindow& window, const ReadRange& range, std::uint64_t position,
                  const FrameHeader& frame, const ReadLimits& limits, std::size_t& bytes,
                  std::vector<LogEntry>& entries) {
  std::uint64_t at = position + kFrameHeaderBytes;
  QIAO_ASSIGN(const std::string_view view, window.at(at, frame.heads_bytes()));
  const std::string heads(view);
  if (!heads_fit(frame, heads)) return damaged(range.path, at, "sizes of records");
  at += heads.size();
  for (std::size_t i = 0; i < frame.count; ++i) {
    const RecordHead head = decode_record_head(heads, i);
    if (frame.first + i >= limits.from) {
      if (is_full(entries, bytes + head.bytes, limits)) return {};
      QIAO_ASSIGN(const std::string_view body, window.at(at, head.bytes));
      if (!sum_fits(head, body)) return damaged(range.path, at, "a record");
      bytes += head.bytes;
      entries.push_back({frame.first + i, {head.kind, std::string(body)}});
    }
    at += head.bytes;
  }
  return {};
}

}  // namespace

Error damaged(const std::string& path, std::uint64_t position, std::string_view what) {
  return {Code::kCorrupt, path + " is damaged at byte " + std::to_string(position) + " (" +
                              std::string(what) +
                              "); nothing was changed: qiao repair saves what is whole"};
}

Result<std::string_view> FileWindow::at(std::uint64_t position, std::size_t size) {
  if (position < begin_ || position + size > begin_ + bytes_.size()) {
    QIAO_ASSIGN(bytes_, file_.read_at(position, std::max(size, step_)));
    begin_ = position;
  }
  return std::string_view(bytes_).substr(position - begin_, size);
}

void SparseIndex::add(std::uint64_t offset, std::uint64_t position) {
  if (marks_.empty() || position >= marks_.back().position + kGap)
    marks_.push_back({offset, position});
}

std::uint64_t SparseIndex::find(std::uint64_t offset) const {
  const auto after =
      std::upper_bound(marks_.begin(), marks_.end(), offset,
                       [](std::uint64_t wanted, const Mark& mark) { return wanted < mark.offset; });
  return after == marks_.begin() ? kFileHeaderBytes : std::prev(after)->position;
}

Result<std::vector<LogEntry>> read_entries(DiskFile& file, const ReadRange& range,
                                           const ReadLimits& limits) {
  FileWindow window(file, std::clamp(limits.bytes_max, kReadStepMin, kReadStepMax));
  std::vector<LogEntry> entries;
  std::size_t bytes = 0;
  for (std::uint64_t position = range.begin; position < range.end;) {
    QIAO_ASSIGN(const std::string_view head, window.at(position, kFrameHeaderBytes));
    const auto frame = decode_frame_header(head, range.seed);
    if (!frame) return damaged(range.path, position, "the head of a frame");
    if (frame->first + frame->count > limits.from)
      QIAO_TRY(read_frame(window, range, position, *frame, limits, bytes, entries));
    if (is_full(entries, bytes + 1, limits)) break;
    position += frame->bytes();
  }
  return entries;
}

Result<NewSegment> create_segment(Disk& disk, const std::string& directory, std::uint64_t first,
                                  std::uint32_t chain, std::uint64_t preallocate_bytes) {
  NewSegment made;
  made.segment = std::make_shared<Segment>();
  Segment& segment = *made.segment;
  segment.path = directory + "/" + file_name(first, kSegmentSuffix);
  segment.header.first = first;
  segment.header.salt = random_seed();
  segment.header.chain = chain;
  segment.next = first;
  segment.chain = chain;
  // A file of this name can only be one whose making was cut short: it has no records.
  if (disk.exists(segment.path)) QIAO_TRY(disk.remove(segment.path));
  QIAO_ASSIGN(made.file, disk.open(segment.path, OpenMode::kCreateNew));
  // A help, no need: a disk with less room than a whole segment is used to its end.
  static_cast<void>(made.file->preallocate(preallocate_bytes));
  QIAO_TRY(made.file->write_at(0, encode(segment.header)));
  QIAO_TRY(made.file->sync_data());
  QIAO_TRY(disk.sync_directory(directory));
  return made;
}

}  // namespace qiao::segment
