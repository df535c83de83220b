// SPDX-License-Identifier: Apache-2.0
#include "log/verify.h"

#include <algorithm>
#include <optional>

#include "base/digest.h"
#include "log/segment_scan.h"

namespace qiao {
namespace {

using namespace segment;

constexpr std::size_t kFileSumAt = kFileHeaderBytes - 4;

// The end of the file before.
struct Before {
  std::string path;
  std::uint64_t end = 0;               // byte
  std::uint64_t next = 0;              // offset
  std::optional<std::uint32_t> chain;  // none when its end is lost
};

// One segment file, from its first byte to its last. Fills its report; adds what is damaged.
class SegmentSurvey {
 public:
  struct Place {
    std::string path;
    std::uint64_t first = 0;  // by its name
    bool last = false;
  };
  SegmentSurvey(std::unique_ptr<DiskFile> file, Place place, LogReport& report,
                const RecordCheck& check)
      : file_(std::move(file)), place_(std::move(place)), report_(report), check_(check) {
    segment_.path = place_.path;
    segment_.next = place_.first;
    out_.file = place_.path;
    out_.first = place_.first;
  }

  Status run(const std::optional<Before>& before) {
    QIAO_ASSIGN(size_, file_->size());
    out_.bytes = size_;
    if (before && before->next < place_.first) note_gap(*before);
    QIAO_ASSIGN(const bool has_frames, read_head(before));
    if (has_frames) QIAO_TRY(read_frames());
    out_.next = segment_.next;
    out_.sealed = segment_.sealed && segment_.end == size_;
    return {};
  }

  [[nodiscard]] const SegmentReport& report() const { return out_; }
  [[nodiscard]] Before end() const {
    Before end{place_.path, segment_.end, segment_.next, segment_.chain};
    if (end_is_lost_) end.chain.reset();
    return end;
  }

 private:
  void add_damage(std::uint64_t byte, std::uint64_t end, std::uint64_t records, std::string what) {
    report_.damage.push_back(
        {place_.path, byte, end - std::min(byte, end), segment_.next, records, std::move(what)});
    report_.lost_records += records;
  }

  // Records that neither the file before nor this one has.
  void note_gap(const Before& before) {
    const std::uint64_t missing = place_.first - before.next;
    report_.lost_records += missing;
    if (!before.chain) {  // they were in the lost end, whose place is named already
      report_.damage.back().records += missing;
      return;
    }
    report_.damage.push_back({before.path, before.end, 0, before.next, missing,
                              "records are missing between this file and the next"});
  }

  Result<bool> read_head(const std::optional<Before>& before) {
    QIAO_ASSIGN(const std::string head, file_->read_at(0, kFileHeaderBytes));
    const auto header = decode_file_header(head);
    if (!header && place_.last && size_ <= kFileHeaderBytes) {
      out_.torn_bytes = size_;
      report_.unfinished.push_back(place_.path);
      return false;
    }
    if (!header || header->first != place_.first) return guess_head(head);
    segment_.header = *header;
    segment_.chain = header->chain;
    out_.chained = !before || (before->chain && *before->chain == header->chain);
    if (!out_.chained && before->chain && before->next == place_.first)
      add_damage(0, kFileHeaderBytes, 0, "it does not continue " + before->path);
    return true;
  }

  // A damaged head: either its sum or what it sums may still be right, and then tells the seed.
  Result<bool> guess_head(const std::string& head) {
    for (const std::uint32_t seed : seeds_of(head)) {
      QIAO_ASSIGN(const auto frame, find_frame(*file_, seed, kFileHeaderBytes, Wanted::kAnyFrame));
      if (!frame) continue;
      segment_.header.sum = seed;
      add_damage(0, kFileHeaderBytes, 0, "the head of the file");
      if (frame->header.first == place_.first) segment_.chain = frame->header.chain;
      return true;
    }
    add_damage(0, size_, 0, "the head of the file; nothing in it can be proven");
    end_is_lost_ = true;
    return false;
  }

  static std::vector<std::uint32_t> seeds_of(const std::string& head) {
    if (head.size() < kFileHeaderBytes) return {};
    std::uint32_t stored = 0;
    for (std::size_t i = 4; i-- > 0;)
      stored = (stored << 8) | static_cast<unsigned char>(head[kFileSumAt + i]);
    return {stored, crc32c(std::string_view(head).substr(0, kFileSumAt))};
  }

  Status read_frames() {
    const FrameVisitor visit = [this](const FrameAt& frame, std::string_view body) {
      return read_records(frame, body);
    };
    for (;;) {
      QIAO_TRY(scan_frames(*file_, segment_, visit));
      if (segment_.end >= size_) return {};
      QIAO_ASSIGN(const bool goes_on, step_over_damage());
      if (!goes_on) return {};
    }
  }

  Status read_records(const FrameAt& frame, std::string_view body) {
    out_.records += frame.header.count;
    if (!check_) return {};
    std::uint64_t at = frame.header.heads_bytes();
    for (std::size_t i = 0; i < frame.header.count; ++i) {
      const RecordHead head = decode_record_head(body, i);
      const LogEntry entry{frame.header.first + i,
                           {head.kind, std::string(body.substr(at, head.bytes))}};
      if (const Status read = check_(entry); !read) {
        const std::uint64_t position = frame.position + kFrameHeaderBytes + at;
        report_.damage.push_back({place_.path, position, head.bytes, entry.offset, 1,
                                  "a record nobody can read: " + read.error().message});
        ++report_.lost_records;
        --out_.records;
      }
      at += head.bytes;
    }
    return {};
  }

  // At a place where no whole frame follows: a torn end, or damage up to the next sound frame.
  Result<bool> step_over_damage() {
    QIAO_ASSIGN(const auto synced,
                find_frame(*file_, segment_.header.sum, segment_.end + 1, Wanted::kSyncedFrame));
    if (place_.last && !synced) {
      out_.torn_bytes = size_ - segment_.end;
      return false;
    }
    QIAO_ASSIGN(const Bad bad, look_at_damage());
    QIAO_ASSIGN(auto found,
                find_frame(*file_, segment_.header.sum, bad.search_from, Wanted::kAnyFrame));
    if (!found || found->header.first < segment_.next) {
      add_damage(bad.byte, size_, bad.records, bad.what);
      segment_.next += bad.records;
      end_is_lost_ = true;
      return false;
    }
    add_damage(bad.byte, found->position, found->header.first - segment_.next, bad.what);
    segment_.end = found->position;
    segment_.next = found->header.first;
    segment_.chain = found->header.chain;
    return true;
  }

  struct Bad {
    std::uint64_t byte = 0;
    std::uint64_t search_from = 0;
    std::uint64_t records = 0;  // that its head speaks of
    std::string what;
  };
  Result<Bad> look_at_damage() {
    const std::uint64_t at = segment_.end;
    QIAO_ASSIGN(const std::string head, file_->read_at(at, kFrameHeaderBytes));
    const auto frame = decode_frame_header(head, segment_.header.sum);
    if (!frame) return Bad{at, at + 1, 0, "the head of a frame"};
    QIAO_ASSIGN(const std::string body, file_->read_at(at + kFrameHeaderBytes, frame->body_bytes));
    if (body_fits(*frame, body)) return Bad{at, at, 0, "frames are missing before this one"};
    Bad bad{at + kFrameHeaderBytes, at + 1, frame->count, "sizes of records"};
    const std::string_view heads = std::string_view(body).substr(0, frame->heads_bytes());
    if (body.size() < frame->body_bytes) {
      bad.byte = size_;
      bad.what = "the file ends inside a frame";
    } else if (heads_fit(*frame, heads)) {
      bad.byte += first_bad_record(*frame, body);
      bad.what = "a record";
    }
    return bad;
  }

  static std::uint64_t first_bad_record(const FrameHeader& frame, std::string_view body) {
    std::uint64_t at = frame.heads_bytes();
    for (std::size_t i = 0; i < frame.count; ++i) {
      const RecordHead head = decode_record_head(body, i);
      if (!sum_fits(head, body.substr(std::min<std::uint64_t>(at, body.size()), head.bytes))) break;
      at += head.bytes;
    }
    return at;
  }

  std::unique_ptr<DiskFile> file_;
  const Place place_;
  LogReport& report_;
  const RecordCheck& check_;
  std::uint64_t size_ = 0;
  Segment segment_;
  SegmentReport out_;
  bool end_is_lost_ = false;
};

Status read_segments(Disk& disk, const std::string& directory,
                     const std::vector<std::uint64_t>& firsts, const RecordCheck& check,
                     LogReport& report) {
  std::optional<Before> before;
  for (const std::uint64_t first : firsts) {
    const std::string path = directory + "/" + file_name(first, kSegmentSuffix);
    QIAO_ASSIGN(auto file, disk.open(path, OpenMode::kRead));
    SegmentSurvey survey(std::move(file), {path, first, first == firsts.back()}, report, check);
    QIAO_TRY(survey.run(before));
    report.segments.push_back(survey.report());
    report.records += survey.report().records;
    report.bytes += survey.report().bytes;
    report.torn_bytes += survey.report().torn_bytes;
    before = survey.end();
  }
  report.first = firsts.front();
  report.next = before->next;
  return {};
}

Status read_snapshot(Disk& disk, const std::string& path, std::uint64_t next, LogReport& report) {
  QIAO_ASSIGN(const auto file, disk.open(path, OpenMode::kRead));
  QIAO_ASSIGN(const std::uint64_t size, file->size());
  QIAO_ASSIGN(const std::string bytes, file->read_at(0, size));
  const auto snapshot = decode_snapshot(bytes);
  SnapshotReport& out = report.snapshots.emplace_back();
  out = {path, next, size, snapshot && snapshot->next_offset == next};
  report.bytes += size;
  if (!out.whole) report.damage.push_back({path, 0, size, 0, 0, "a snapshot"});
  return {};
}

// What the snapshots say against the segments.
void compare(LogReport& report) {
  std::uint64_t known = 0;
  const SnapshotReport* newest = nullptr;
  for (const SnapshotReport& snapshot : report.snapshots) {
    if (!snapshot.whole) continue;
    newest = &snapshot;
    known = std::max(known, snapshot.next_offset);
  }
  if (known > report.next) {
    const std::uint64_t missing = known - report.next;
    report.damage.push_back({report.segments.back().file, report.segments.back().bytes, 0,
                             report.next, missing,
                             "records are missing at the end: " + newest->file + " knows them"});
    report.lost_records += missing;
    report.next = known;
  }
  if (report.first > 0 && known < report.first) {
    report.damage.push_back({report.segments.front().file, 0, 0, 0, report.first,
                             "no whole snapshot holds the state before this file"});
    report.lost_records += report.first;
  }
}

}  // namespace

Result<LogReport> verify_log(Disk& disk, const std::string& directory, const RecordCheck& check) {
  QIAO_ASSIGN(const std::vector<std::string> names, disk.list(directory));
  std::vector<std::uint64_t> firsts;
  LogReport report;
  for (const std::string& name : names) {
    if (const auto first = offset_of_name(name, kSegmentSuffix)) firsts.push_back(*first);
    if (name.ends_with(".tmp")) report.unfinished.push_back(directory + "/" + name);
  }
  if (firsts.empty()) return not_found("there is no log in " + directory);
  QIAO_TRY(read_segments(disk, directory, firsts, check, report));
  for (const std::string& name : names) {
    if (const auto next = offset_of_name(name, kSnapshotSuffix))
      QIAO_TRY(read_snapshot(disk, directory + "/" + name, *next, report));
  }
  compare(report);
  return report;
}

}  // namespace qiao
