// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/random.h"

namespace qiao::testing {

// A disk in memory that can lose power. Writes and names are sure only once synced; crash() takes
// away what is not, wholly or in torn sectors. Faults are asked for: the k-th write or sync fails,
// or the k-th call of any kind, the disk is full past a size. Thread-safe; must outlive its files.
// Files opened before a crash fail from then on, as their process would be gone.
class FaultyDisk final : public Disk {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;
  enum class Crash { kLoseUnsynced, kTearUnsynced, kKeepUnsynced };

  explicit FaultyDisk(std::uint64_t seed = 1) : rng_(seed) {}

  void crash(Crash how) {
    std::lock_guard lock(mutex_);
    ++life_;
    live_names_ = synced_names_;
    for (auto& [name, file] : live_names_) settle(*file, how);
  }
  // The process ends, the machine goes on: files open now fail, what was written stays as it is.
  void end_process() {
    std::lock_guard lock(mutex_);
    ++life_;
  }
  // The n-th write or sync from now on (1 = the next) fails, and all after it; 0: none.
  void fail_after(std::uint64_t n) {
    std::lock_guard lock(mutex_);
    operations_left_ = n;
  }
  // The n-th call of any kind from now on fails (1 = the next; 0 = none), and all after it or not.
  enum class Fault { kOnce, kForever };
  void fail_call(std::uint64_t n, Fault how) {
    std::lock_guard lock(mutex_);
    calls_left_ = n;
    fault_ = how;
    has_failed_ = false;
  }
  [[nodiscard]] bool has_failed() const {
    std::lock_guard lock(mutex_);
    return has_failed_;
  }
  void set_capacity(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    capacity_ = bytes;
  }
  [[nodiscard]] std::uint64_t syncs() const {
    std::lock_guard lock(mutex_);
    return syncs_;
  }
  // The bytes of a file as a reader sees them, and a way to damage them.
  std::string bytes(const std::string& path) {
    std::lock_guard lock(mutex_);
    return live_names_.at(path)->now;
  }
  void set_bytes(const std::string& path, std::string bytes) {
    std::lock_guard lock(mutex_);
    auto file = std::make_shared<File>();
    file->now = file->synced = std::move(bytes);
    live_names_[path] = synced_names_[path] = std::move(file);
  }

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::lock_guard lock(mutex_);
    QIAO_TRY(call());
    std::vector<std::string> names;
    for (const auto& [path, file] : live_names_) {
      if (path.starts_with(directory + "/")) names.push_back(path.substr(directory.size() + 1));
    }
    return names;
  }
  Status make_directories(const std::string&) override { return {}; }
  // A file, or a directory with all that is in it.
  Status rename(const std::string& from, const std::string& to) override {
    std::lock_guard lock(mutex_);
    QIAO_TRY(call());
    std::map<std::string, std::shared_ptr<File>> moved;
    for (const auto& [path, file] : live_names_) {
      if (path == from || path.starts_with(from + "/")) moved[to + path.substr(from.size())] = file;
    }
    if (moved.empty()) return not_found("no file " + from);
    std::erase_if(live_names_, [&](const auto& entry) {
      return entry.first == from || entry.first.starts_with(from + "/");
    });
    for (auto& [path, file] : moved) live_names_[path] = std::move(file);
    return {};
  }
  Status remove(const std::string& path) override {
    std::lock_guard lock(mutex_);
    QIAO_TRY(call());
    return live_names_.erase(path) > 0 ? Status() : Status(not_found("no file " + path));
  }
  Status sync_directory(const std::string&) override {
    std::lock_guard lock(mutex_);
    QIAO_TRY(call());
    QIAO_TRY(spend());
    synced_names_ = live_names_;
    return {};
  }
  bool exists(const std::string& path) override {
    std::lock_guard lock(mutex_);
    return live_names_.contains(path);
  }

 private:
  struct File {
    std::string now;
    std::string synced;
  };
  class Handle;

  // After a power cut: each sector holds the old bytes or the new ones.
  void settle(File& file, Crash how) {
    if (how == Crash::kLoseUnsynced) file.now = file.synced;
    if (how == Crash::kTearUnsynced) {
      std::string torn = file.synced;
      if (rng_.below(2) == 0) torn.resize(std::max(torn.size(), file.now.size()), '\0');
      for (std::uint64_t at = 0; at < file.now.size(); at += kSectorBytes) {
        if (rng_.below(2) == 0) continue;
        const std::string_view sector = std::string_view(file.now).substr(at, kSectorBytes);
        if (torn.size() < at + sector.size()) torn.resize(at + sector.size(), '\0');
        torn.replace(at, sector.size(), sector);
      }
      file.now = std::move(torn);
    }
    file.synced = file.now;
  }

  Status call() {
    if (calls_left_ == 0) return {};
    if (calls_left_ > 1) {
      --calls_left_;
      return {};
    }
    has_failed_ = true;
    if (fault_ == Fault::kOnce) calls_left_ = 0;
    return unavailable("the disk failed, as the test asked");
  }
  // Counts one write or sync.
  Status spend() {
    if (operations_left_ == 0) return {};
    if (operations_left_ > 1) {
      --operations_left_;
      return {};
    }
    return unavailable("the disk failed, as the test asked");
  }
  Status check_space(const File& file, std::uint64_t size) {
    std::uint64_t used = size > file.now.size() ? size - file.now.size() : 0;
    for (const auto& [path, other] : live_names_) used += other->now.size();
    return used <= capacity_ ? Status() : Status(unavailable("no space left; free some space"));
  }

  mutable std::mutex mutex_;
  Rng rng_;
  std::map<std::string, std::shared_ptr<File>> live_names_;
  std::map<std::string, std::shared_ptr<File>> synced_names_;
  std::uint64_t life_ = 0;             // rises with each crash
  std::uint64_t operations_left_ = 0;  // 0: no fault asked for
  std::uint64_t calls_left_ = 0;       // the same, of calls of any kind
  Fault fault_ = Fault::kOnce;
  bool has_failed_ = false;
  std::uint64_t capacity_ = UINT64_MAX;
  std::uint64_t syncs_ = 0;
};

class FaultyDisk::Handle final : public DiskFile {
 public:
  Handle(FaultyDisk& disk, std::shared_ptr<File> file, bool may_write)
      : disk_(disk), file_(std::move(file)), may_write_(may_write), life_(disk.life_) {}

  Status write_at(std::uint64_t offset, std::string_view bytes) override {
    std::lock_guard lock(disk_.mutex_);
    QIAO_TRY(check(true));
    QIAO_TRY(disk_.spend());
    QIAO_TRY(disk_.check_space(*file_, offset + bytes.size()));
    if (file_->now.size() < offset + bytes.size()) file_->now.resize(offset + bytes.size(), '\0');
    file_->now.replace(offset, bytes.size(), bytes);
    return {};
  }
  Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
    std::lock_guard lock(disk_.mutex_);
    QIAO_TRY(check(false));
    if (offset >= file_->now.size()) return std::string();
    return file_->now.substr(offset, size);
  }
  Status sync_data() override {
    std::lock_guard lock(disk_.mutex_);
    QIAO_TRY(check(true));
    QIAO_TRY(disk_.spend());
    ++disk_.syncs_;
    file_->synced = file_->now;
    return {};
  }
  Result<std::uint64_t> size() override {
    std::lock_guard lock(disk_.mutex_);
    QIAO_TRY(check(false));
    return file_->now.size();
  }
  Status truncate(std::uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    QIAO_TRY(check(true));
    file_->now.resize(size, '\0');
    return {};
  }
  Status preallocate(std::uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    QIAO_TRY(check(true));
    return disk_.check_space(*file_, size);
  }

 private:
  Status check(bool writes) const {
    if (life_ != disk_.life_) return unavailable("the machine lost power");
    if (writes && !may_write_) return Error{Code::kPermission, "the file is open for reading"};
    return disk_.call();
  }

  FaultyDisk& disk_;
  std::shared_ptr<File> file_;
  bool may_write_;
  std::uint64_t life_;
};

inline Result<std::unique_ptr<DiskFile>> FaultyDisk::open(const std::string& path, OpenMode mode) {
  std::lock_guard lock(mutex_);
  QIAO_TRY(call());
  const auto found = live_names_.find(path);
  const bool create = mode == OpenMode::kCreateNew;
  if (create && found != live_names_.end())
    return Error{Code::kAlreadyExists, "there is a file " + path};
  if (!create && found == live_names_.end()) return not_found("no file " + path);
  std::shared_ptr<File> file = create ? std::make_shared<File>() : found->second;
  live_names_[path] = file;
  return std::unique_ptr<DiskFile>(
      std::make_unique<Handle>(*this, std::move(file), mode != OpenMode::kRead));
}

}  // namespace qiao::testing
