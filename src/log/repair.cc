// SPDX-License-Identifier: Apache-2.0
#include "log/repair.h"

#include <algorithm>
#include <filesystem>
#include <future>
#include <memory>

#include "log/segment_file.h"
#include "log/segment_log.h"

namespace qiao {
namespace {

constexpr std::size_t kBatchRecordsMax = 4'096;
constexpr std::size_t kBatchBytesMax = 1 << 20;

std::string workplace_of(const std::string& directory) {
  return directory + ".repair";
}

std::string parent_of(const std::string& directory) {
  const std::string parent = std::filesystem::path(directory).parent_path().string();
  return parent.empty() ? "." : parent;
}

bool has_segments(Disk& disk, const std::string& directory) {
  const auto names = disk.list(directory);
  return names && std::any_of(names->begin(), names->end(), [](const std::string& name) {
           return segment::offset_of_name(name, segment::kSegmentSuffix).has_value();
         });
}

// The new log: sound records at their offsets, fillers between.
class Salvage {
 public:
  Salvage(Disk& disk, std::string directory, const LogRecord& filler)
      : disk_(disk), directory_(std::move(directory)), filler_(filler) {}

  // An older attempt's files are no original.
  Status begin(std::uint64_t first) {
    QIAO_TRY(disk_.make_directories(directory_));
    QIAO_ASSIGN(const std::vector<std::string> stale, disk_.list(directory_));
    for (const std::string& name : stale) QIAO_TRY(disk_.remove(directory_ + "/" + name));
    SegmentLogOptions options;
    options.directory = directory_;
    QIAO_ASSIGN(const segment::NewSegment made,
                segment::create_segment(disk_, directory_, first, 0, options.segment_bytes));
    QIAO_ASSIGN(log_, SegmentLog::open(disk_, options));
    next_ = first;
    return {};
  }

  Status keep(const LogEntry& entry) {
    QIAO_TRY(fill_to(entry.offset));
    ++result_.kept_records;
    return add(entry.record);
  }

  Status fill_to(std::uint64_t offset) {
    if (offset <= next_) return {};
    result_.lost.push_back({next_, offset - next_});
    while (next_ < offset) QIAO_TRY(add(filler_));
    return {};
  }

  Status end(std::uint64_t offset) {
    QIAO_TRY(fill_to(offset));
    QIAO_TRY(write());
    return log_->close();
  }

  LogRepair take_result() { return std::move(result_); }

 private:
  Status add(const LogRecord& record) {
    ++next_;
    bytes_ += record.bytes.size();
    batch_.push_back(record);
    return batch_.size() < kBatchRecordsMax && bytes_ < kBatchBytesMax ? Status() : write();
  }

  Status write() {
    if (batch_.empty()) return {};
    auto written = std::make_shared<std::promise<Status>>();
    std::future<Status> future = written->get_future();
    const auto appended = log_->append(
        std::move(batch_), [written](Status status) { written->set_value(std::move(status)); });
    batch_.clear();
    bytes_ = 0;
    return appended ? future.get() : Status(appended.error());
  }

  Disk& disk_;
  const std::string directory_;
  const LogRecord& filler_;
  std::unique_ptr<SegmentLog> log_;
  std::vector<LogRecord> batch_;
  std::size_t bytes_ = 0;
  std::uint64_t next_ = 0;
  LogRepair result_;
};

// Whether the state before the oldest record has to come from a snapshot.
bool is_trimmed(const LogReport& report) {
  return report.first > 0 && std::any_of(report.snapshots.begin(), report.snapshots.end(),
                                         [&](const SnapshotReport& snapshot) {
                                           return snapshot.whole &&
                                                  snapshot.next_offset >= report.first;
                                         });
}

// Snapshots speak of lost records as if they were there. They are kept only where nothing was
// lost before them, or where the log was trimmed and the records alone no longer make the state.
Result<bool> keep_snapshots(Disk& disk, const LogReport& report, const std::string& workplace,
                            const LogRepair& repair) {
  const std::uint64_t first_lost = repair.lost.empty() ? report.next : repair.lost.front().first;
  bool kept = false;
  for (const SnapshotReport& snapshot : report.snapshots) {
    const bool useful = snapshot.next_offset <= first_lost || is_trimmed(report);
    if (!snapshot.whole || !useful) continue;
    QIAO_ASSIGN(const auto file, disk.open(snapshot.file, OpenMode::kRead));
    QIAO_ASSIGN(const std::string bytes, file->read_at(0, snapshot.bytes));
    const std::string name = std::filesystem::path(snapshot.file).filename().string();
    QIAO_TRY(write_file_atomic(disk, workplace + "/" + name, bytes));
    kept = true;
  }
  return kept;
}

Status prove_whole(Disk& disk, const std::string& directory, const RecordCheck& check) {
  QIAO_ASSIGN(const LogReport report, verify_log(disk, directory, check));
  if (report.is_whole()) return {};
  return internal("the repaired log is damaged at " + report.damage.front().file +
                  "; nothing was changed");
}

Result<LogRepair> salvage(Disk& disk, const std::string& directory, const LogReport& report,
                          const LogRepairOptions& options) {
  const std::string workplace = workplace_of(directory);
  Salvage salvage(disk, workplace, options.filler);
  QIAO_TRY(salvage.begin(is_trimmed(report) ? report.first : 0));
  Status written;  // a failure to write is no damage of the record
  const auto again = verify_log(disk, directory, [&](const LogEntry& entry) -> Status {
    if (options.check) QIAO_TRY(options.check(entry));
    if (written) written = salvage.keep(entry);
    return {};
  });
  if (!again) return again.error();
  QIAO_TRY(written);
  QIAO_TRY(salvage.end(report.next));
  LogRepair repair = salvage.take_result();
  QIAO_ASSIGN(repair.kept_snapshot, keep_snapshots(disk, report, workplace, repair));
  QIAO_TRY(prove_whole(disk, workplace, options.check));
  return repair;
}

Status exchange(Disk& disk, const std::string& directory, const std::string& original) {
  QIAO_TRY(disk.rename(directory, original));
  QIAO_TRY(disk.sync_directory(parent_of(directory)));
  QIAO_TRY(disk.rename(workplace_of(directory), directory));
  return disk.sync_directory(parent_of(directory));
}

}  // namespace

Status check_no_repair_is_open(Disk& disk, const std::string& directory) {
  if (has_segments(disk, directory) || !has_segments(disk, workplace_of(directory))) return {};
  return Error{Code::kPrecondition,
               "the repair of " + directory + " was cut short: run qiao repair again to end it"};
}

Result<LogRepair> repair_log(Disk& disk, const std::string& directory,
                             const LogRepairOptions& options) {
  if (!check_no_repair_is_open(disk, directory)) {
    QIAO_TRY(disk.rename(workplace_of(directory), directory));
    QIAO_TRY(disk.sync_directory(parent_of(directory)));
  }
  QIAO_ASSIGN(const LogReport report, verify_log(disk, directory, options.check));
  if (report.is_whole()) return LogRepair{};
  const std::string original = directory + ".before-repair-" + options.suffix;
  if (disk.exists(original))
    return Error{Code::kAlreadyExists, "there is a " + original + " already; nothing was changed"};
  QIAO_ASSIGN(LogRepair repair, salvage(disk, directory, report, options));
  QIAO_TRY(exchange(disk, directory, original));
  repair.original = original;
  return repair;
}

}  // namespace qiao
