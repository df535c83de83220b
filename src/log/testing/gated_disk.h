// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/disk.h"

namespace qiao::testing {

// A disk whose syncs wait while the test holds the gate closed. Must outlive its files.
class GatedDisk final : public Disk {
 public:
  explicit GatedDisk(Disk& under) : under_(under) {}
  void close_gate() { gate_.lock(); }
  void open_gate() { gate_.unlock(); }

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override {
    QIAO_ASSIGN(std::unique_ptr<DiskFile> file, under_.open(path, mode));
    return std::unique_ptr<DiskFile>(std::make_unique<File>(*this, std::move(file)));
  }
  Result<std::vector<std::string>> list(const std::string& directory) override {
    return under_.list(directory);
  }
  Status make_directories(const std::string& path) override {
    return under_.make_directories(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    return under_.rename(from, to);
  }
  Status remove(const std::string& path) override { return under_.remove(path); }
  Status sync_directory(const std::string& path) override { return under_.sync_directory(path); }
  bool exists(const std::string& path) override { return under_.exists(path); }

 private:
  class File final : public DiskFile {
   public:
    File(GatedDisk& disk, std::unique_ptr<DiskFile> file) : disk_(disk), file_(std::move(file)) {}
    Status write_at(std::uint64_t offset, std::string_view bytes) override {
      return file_->write_at(offset, bytes);
    }
    Result<std::string> read_at(std::uint64_t offset, std::size_t size) override {
      return file_->read_at(offset, size);
    }
    Status sync_data() override {
      std::lock_guard lock(disk_.gate_);
      return file_->sync_data();
    }
    Result<std::uint64_t> size() override { return file_->size(); }
    Status truncate(std::uint64_t size) override { return file_->truncate(size); }
    Status preallocate(std::uint64_t size) override { return file_->preallocate(size); }

   private:
    GatedDisk& disk_;
    std::unique_ptr<DiskFile> file_;
  };
  Disk& under_;
  std::mutex gate_;
};

}  // namespace qiao::testing
