// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_disk.h"

#include <algorithm>

namespace qiao::sim {
namespace {

Error no_power() {
  return unavailable("the machine lost power");
}
Error no_file(const std::string& path) {
  return not_found("no file " + path);
}

void copy_range(const std::string& from, std::string& to, std::uint64_t begin, std::uint64_t end) {
  end = std::min<std::uint64_t>(end, from.size());
  if (begin >= end) return;
  if (to.size() < end) to.resize(end, '\0');
  to.replace(begin, end - begin, from, begin, end - begin);
}

}  // namespace

class SimDisk::Handle final : public DiskFile {
 public:
  Handle(SimDisk& disk, std::shared_ptr<File> file, bool may_write)
      : disk_(disk), file_(std::move(file)), may_write_(may_write), life_(disk.life_) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    QIAO_TRY(check(true));
    return disk_.write(*file_, offset, bytes);
  }
  Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
    QIAO_TRY(check(false));
    if (offset >= file_->now.size()) return std::string();
    return file_->now.substr(offset, size);
  }
  Status sync_data() override {
    QIAO_TRY(check(true));
    return disk_.sync(*file_);
  }
  Result<std::uint64_t> size() override {
    QIAO_TRY(check(false));
    return file_->now.size();
  }
  Status truncate(std::uint64_t size) override {
    QIAO_TRY(check(true));
    QIAO_TRY(disk_.begin_change());
    const std::uint64_t before = file_->now.size();
    file_->now.resize(size, '\0');
    file_->dirty.emplace_back(std::min(before, size), std::max(before, size));
    return {};
  }
  Status preallocate(std::uint64_t) override { return check(true); }

 private:
  Status check(bool writes) const {
    if (life_ != disk_.life_ || disk_.dead_) return no_power();
    if (writes && !may_write_) return Error{Code::kPermission, "the file is open for reading"};
    return {};
  }

  SimDisk& disk_;
  const std::shared_ptr<File> file_;
  const bool may_write_;
  const std::uint64_t life_;
};

Status SimDisk::begin_change() {
  if (!dead_ && faults_.strikes(Fault::kCrashInWrite)) dead_ = true;
  return dead_ ? Status(no_power()) : Status();
}

Status SimDisk::write(File& file, std::uint64_t offset, std::string_view bytes) {
  const Status alive = begin_change();
  const bool broken = !alive || full_ || faults_.strikes(Fault::kDiskWriteError);
  if (broken) bytes = bytes.substr(0, rng_.below(bytes.size() + 1));
  const std::uint64_t end = offset + bytes.size();
  if (file.now.size() < end) file.now.resize(end, '\0');
  file.now.replace(offset, bytes.size(), bytes);
  file.dirty.emplace_back(offset, end);
  if (!alive) return alive;
  if (full_) return unavailable("no space left; free some space");
  return broken ? Status(unavailable("the disk cannot write (EIO)")) : Status();
}

Status SimDisk::sync(File& file) {
  QIAO_TRY(begin_change());
  ++syncs_;
  if (faults_.strikes(Fault::kDiskSyncError)) {
    write_some(file);
    return unavailable("the disk cannot sync (EIO)");
  }
  for (const auto& [begin, end] : file.dirty) copy_range(file.now, file.synced, begin, end);
  if (file.synced.size() > file.now.size()) file.synced.resize(file.now.size());
  file.dirty.clear();
  return {};
}

// Each dirty sector reaches the platter or not; none is dirty any more.
void SimDisk::write_some(File& file) {
  for (const auto& [begin, end] : file.dirty) {
    for (std::uint64_t at = begin / kSectorBytes * kSectorBytes; at < end; at += kSectorBytes) {
      if (rng_.below(2) == 0) continue;
      copy_range(file.now, file.synced, std::max(at, begin), std::min(at + kSectorBytes, end));
    }
  }
  file.dirty.clear();
}

void SimDisk::lose_power(bool tear) {
  ++life_;
  dead_ = false;
  // A name that was not synced may have reached the disk or not.
  for (const auto& [path, file] : names_) {
    if (tear && rng_.below(2) == 0) synced_names_.try_emplace(path, file);
  }
  names_ = synced_names_;
  for (auto& [path, file] : names_) {
    if (tear) write_some(*file);
    file->dirty.clear();
    file->now = file->synced;
  }
}

std::uint64_t SimDisk::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, file] : names_) sum += file->now.size();
  return sum;
}

Result<std::unique_ptr<DiskFile>> SimDisk::open(const std::string& path, OpenMode mode) {
  if (dead_) return no_power();
  const auto found = names_.find(path);
  const bool create = mode == OpenMode::kCreateNew;
  if (create && found != names_.end())
    return Error{Code::kAlreadyExists, "there is a file " + path};
  if (!create && found == names_.end()) return no_file(path);
  std::shared_ptr<File> file = create ? std::make_shared<File>() : found->second;
  names_[path] = file;
  return std::unique_ptr<DiskFile>(
      std::make_unique<Handle>(*this, std::move(file), mode != OpenMode::kRead));
}

Result<std::vector<std::string>> SimDisk::list(const std::string& directory) {
  if (dead_) return no_power();
  std::vector<std::string> names;
  for (const auto& [path, file] : names_) {
    if (path.starts_with(directory + "/")) names.push_back(path.substr(directory.size() + 1));
  }
  return names;
}

Status SimDisk::rename(const std::string& from, const std::string& to) {
  QIAO_TRY(begin_change());
  const auto found = names_.find(from);
  if (found == names_.end()) return no_file(from);
  names_[to] = found->second;
  names_.erase(from);
  return {};
}

Status SimDisk::remove(const std::string& path) {
  QIAO_TRY(begin_change());
  return names_.erase(path) > 0 ? Status() : Status(no_file(path));
}

Status SimDisk::sync_directory(const std::string&) {
  QIAO_TRY(begin_change());
  ++syncs_;
  if (faults_.strikes(Fault::kDiskSyncError)) return unavailable("the disk cannot sync (EIO)");
  synced_names_ = names_;
  return {};
}

}  // namespace qiao::sim
