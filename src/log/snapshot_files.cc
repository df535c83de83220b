// SPDX-License-Identifier: Apache-2.0
#include "log/snapshot_files.h"

#include <algorithm>

#include "base/logging.h"
#include "log/segment_format.h"

namespace qiao::segment {
namespace {

Result<std::optional<Snapshot>> read_snapshot(Disk& disk, const std::string& path) {
  QIAO_ASSIGN(const auto file, disk.open(path, OpenMode::kRead));
  QIAO_ASSIGN(const std::uint64_t size, file->size());
  QIAO_ASSIGN(const std::string bytes, file->read_at(0, size));
  return decode_snapshot(bytes);
}

}  // namespace

SnapshotFiles::SnapshotFiles(Disk& disk, std::string directory)
    : disk_(disk), directory_(std::move(directory)) {}

Result<std::vector<std::string>> SnapshotFiles::names() {
  QIAO_ASSIGN(std::vector<std::string> all, disk_.list(directory_));
  std::erase_if(all,
                [](const std::string& name) { return !offset_of_name(name, kSnapshotSuffix); });
  return all;
}

Status SnapshotFiles::save(const Snapshot& snapshot) {
  std::lock_guard lock(mutex_);
  const std::string path = directory_ + "/" + file_name(snapshot.next_offset, kSnapshotSuffix);
  QIAO_TRY(write_file_atomic(disk_, path, encode_snapshot(snapshot)));
  QIAO_ASSIGN(const std::vector<std::string> kept, names());
  for (std::size_t i = 0; i + kSnapshotsKept < kept.size(); ++i)
    QIAO_TRY(disk_.remove(directory_ + "/" + kept[i]));
  return {};
}

Result<std::optional<Snapshot>> SnapshotFiles::load() {
  std::lock_guard lock(mutex_);
  QIAO_ASSIGN(std::vector<std::string> newest_first, names());
  std::reverse(newest_first.begin(), newest_first.end());
  for (const std::string& name : newest_first) {
    QIAO_ASSIGN(std::optional<Snapshot> snapshot, read_snapshot(disk_, directory_ + "/" + name));
    if (snapshot && offset_of_name(name, kSnapshotSuffix) == snapshot->next_offset) return snapshot;
    log_warn("log",
             "the snapshot " + directory_ + "/" + name + " is damaged: an older one is used");
  }
  if (newest_first.empty()) return std::optional<Snapshot>();
  return Error{Code::kCorrupt, "every snapshot in " + directory_ +
                                   " is damaged; remove them to replay the log from its start"};
}

}  // namespace qiao::segment
