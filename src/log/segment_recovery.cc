// SPDX-License-Identifier: Apache-2.0
#include "log/segment_recovery.h"

#include <algorithm>
#include <string>
#include <vector>

#include "log/segment_scan.h"

namespace qiao::segment {
namespace {

constexpr std::size_t kCopyStep = 1 << 20;

// Then the bad bytes at `position` had reached the disk once, and are damage, not a torn write.
Result<bool> synced_frame_follows(DiskFile& file, const Segment& segment, std::uint64_t position) {
  QIAO_ASSIGN(const auto frame,
              find_frame(file, segment.header.sum, position, Wanted::kSyncedFrame));
  return frame.has_value();
}

struct Found {
  std::shared_ptr<Segment> segment;
  std::unique_ptr<DiskFile> file;
  std::uint64_t size = 0;
  std::uint64_t unsure = 0;  // from there on nothing says that it was synced
  bool unborn = false;       // its making was cut short: no header yet, no records
};

Status check_follows(const Segment& segment, const Segment* before) {
  if (before == nullptr) return {};
  if (segment.header.first == before->next && segment.header.chain == before->chain) return {};
  return damaged(segment.path, 0, "it does not continue " + before->path);
}

Result<Found> examine(Disk& disk, std::string path, std::uint64_t first, const Segment* before,
                      bool last) {
  Found found;
  found.segment = std::make_shared<Segment>();
  Segment& segment = *found.segment;
  segment.path = std::move(path);
  QIAO_ASSIGN(found.file, disk.open(segment.path, last ? OpenMode::kReadWrite : OpenMode::kRead));
  QIAO_ASSIGN(found.size, found.file->size());
  QIAO_ASSIGN(const std::string head, found.file->read_at(0, kFileHeaderBytes));
  const auto header = decode_file_header(head);
  if (!header && last && found.size <= kFileHeaderBytes) {
    found.unborn = true;
    return found;
  }
  if (!header || header->first != first) return damaged(segment.path, 0, "the head of the file");
  segment.header = *header;
  segment.next = header->first;
  segment.chain = header->chain;
  QIAO_TRY(check_follows(segment, before));
  const auto note_sync = [&found](const FrameAt& at, std::string_view) {
    if (at.header.after_sync) found.unsure = at.position;
    return Status();
  };
  QIAO_TRY(scan_frames(*found.file, segment, note_sync));
  if (segment.end == found.size) return found;
  QIAO_ASSIGN(const bool was_synced, synced_frame_follows(*found.file, segment, segment.end + 1));
  if (was_synced || !last) return damaged(segment.path, segment.end, "a frame");
  return found;
}

// What a process wrote before it ended is read back whether it is on the disk or not: a system that
// failed to sync forgets that it still has to write (and a new file's name may not be synced).
// Written anew and synced, it may be relied on.
Status make_sure(Disk& disk, const std::string& directory, Found& found) {
  for (std::uint64_t at = found.unsure; at < found.segment->end; at += kCopyStep) {
    const std::uint64_t left = found.segment->end - at;
    QIAO_ASSIGN(const std::string bytes,
                found.file->read_at(at, std::min<std::uint64_t>(left, kCopyStep)));
    QIAO_TRY(found.file->write_at(at, bytes));
  }
  QIAO_TRY(found.file->sync_data());
  return disk.sync_directory(directory);
}

Status cut_tail(Found& found, SegmentLogRecovery& report) {
  const Segment& segment = *found.segment;
  if (found.size > segment.end) {
    report.torn_bytes = found.size - segment.end;
    report.torn_file = segment.path;
    QIAO_TRY(found.file->truncate(segment.end));
  }
  return {};
}

}  // namespace

Result<Recovered> recover(Disk& disk, const SegmentLogOptions& options) {
  Recovered out;
  QIAO_TRY(disk.make_directories(options.directory));
  QIAO_ASSIGN(const std::vector<std::string> names, disk.list(options.directory));
  std::vector<std::uint64_t> firsts;
  for (const std::string& name : names) {
    if (const auto first = offset_of_name(name, kSegmentSuffix)) firsts.push_back(*first);
  }
  std::uint64_t first = firsts.empty() ? 0 : firsts.back();
  const Segment* before = nullptr;
  for (const std::uint64_t wanted : firsts) {
    const bool last = wanted == firsts.back();
    QIAO_ASSIGN(Found found,
                examine(disk, options.directory + "/" + file_name(wanted, kSegmentSuffix), wanted,
                        before, last));
    if (found.unborn) {
      if (found.size > 0) out.report = {out.report.records, found.size, found.segment->path};
      break;
    }
    if (last) {
      QIAO_TRY(cut_tail(found, out.report));
      QIAO_TRY(options.sync ? make_sure(disk, options.directory, found) : found.file->sync_data());
      out.file = std::move(found.file);
    }
    out.report.records += found.segment->next - found.segment->header.first;
    before = found.segment.get();
    out.segments.emplace(wanted, std::move(found.segment));
  }
  if (out.file) return out;
  if (before != nullptr && before->next != first)
    return damaged(before->path, before->end, "records are missing before the next file");
  QIAO_ASSIGN(NewSegment made,
              create_segment(disk, options.directory, first, before == nullptr ? 0 : before->chain,
                             options.segment_bytes));
  out.file = std::move(made.file);
  out.segments.emplace(first, std::move(made.segment));
  return out;
}

}  // namespace qiao::segment
