// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"

namespace qiao::learn::testing {

// The machine's disk; asks for a stop when something gets a name that ends with `end`: a Ctrl-C at
// that place. `stop` must outlive it.
class StoppingDisk final : public Disk {
 public:
  StoppingDisk(std::string end, std::atomic<bool>& stop) : end_(std::move(end)), stop_(stop) {}

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override {
    return disk_.open(path, mode);
  }
  Result<std::vector<std::string>> list(const std::string& at) override { return disk_.list(at); }
  Status make_directories(const std::string& at) override { return disk_.make_directories(at); }
  Status rename(const std::string& from, const std::string& to) override {
    if (to.ends_with(end_)) stop_ = true;
    return disk_.rename(from, to);
  }
  Status remove(const std::string& path) override { return disk_.remove(path); }
  Status sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  bool exists(const std::string& path) override { return disk_.exists(path); }

 private:
  SystemDisk disk_;
  std::string end_;
  std::atomic<bool>& stop_;
};

}  // namespace qiao::learn::testing
