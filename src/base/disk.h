// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao {

// One open file. Closed by the destructor. One thread at a time.
class DiskFile {
 public:
  DiskFile() = default;
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;
  virtual ~DiskFile() = default;

  // All of `bytes` at `offset`, or an Error (a full disk is `unavailable` and says so).
  virtual Status write_at(std::uint64_t offset, std::string_view bytes) = 0;
  // Up to `size` bytes at `offset`; fewer only at the end of the file.
  virtual Result<std::string> read_at(std::uint64_t offset, std::size_t size) = 0;
  virtual Status sync_data() = 0;  // fdatasync
  virtual Result<std::uint64_t> size() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Status preallocate(std::uint64_t size) = 0;  // keeps size() (FALLOC_FL_KEEP_SIZE)
};

enum class OpenMode { kRead, kReadWrite, kCreateNew };

// The file system, as far as Qiao stores truth in it. Passed in, so that tests lose, tear and
// fail writes at will. Thread-safe.
class Disk {
 public:
  Disk() = default;
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  virtual ~Disk() = default;

  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  // names, sorted
  virtual Status make_directories(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status sync_directory(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
};

// The machine's disk.
class SystemDisk final : public Disk {
 public:
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directories(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  bool exists(const std::string& path) override;
};

// Whole small files (configs, prompts, snapshots). `bytes_max` past → invalid_argument.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max = 64 << 20);
// Writes beside, syncs, renames: never half a file under the final name.
Status write_file_atomic(Disk& disk, const std::string& path, std::string_view bytes);

// An exclusive lock on a directory, held until destroyed; `conflict` when another process has it.
class DirectoryLock {
 public:
  static Result<std::unique_ptr<DirectoryLock>> acquire(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace qiao
