// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"
#include "base/random.h"
#include "sim/fault_plan.h"

namespace qiao::sim {

// The disk of a simulated machine, in memory. As on Linux, a write is in the page cache until
// synced, a failed sync forgets which pages were dirty (what they held is then read back but never
// written), and names are sure only when their directory was synced. One thread; outlives its
// files. Files opened before the process ended fail from then on.
class SimDisk final : public Disk {
 public:
  static constexpr std::uint64_t kSectorBytes = 512;

  SimDisk(FaultPlan& faults, std::uint64_t seed) : faults_(faults), rng_(seed) {}

  // The process is gone, the machine goes on: what was written is kept.
  void end_process() { ++life_; }
  // The machine is off: what was not synced is gone, or (`tear`) some sectors of it are there.
  void lose_power(bool tear);
  // The power went off inside an operation: lose_power() must follow.
  [[nodiscard]] bool is_dead() const { return dead_; }
  void set_full(bool full) { full_ = full; }
  [[nodiscard]] std::uint64_t syncs() const { return syncs_; }
  [[nodiscard]] std::uint64_t bytes() const;  // of all files

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directories(const std::string&) override { return {}; }
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  bool exists(const std::string& path) override { return names_.contains(path); }

 private:
  struct File {
    std::string now;                                             // as the page cache has it
    std::string synced;                                          // as the platter has it
    std::vector<std::pair<std::uint64_t, std::uint64_t>> dirty;  // begin, end; in order of writing
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;
  class Handle;

  Status begin_change();
  Status write(File& file, std::uint64_t offset, std::string_view bytes);
  Status sync(File& file);
  void write_some(File& file);

  FaultPlan& faults_;
  Rng rng_;
  Names names_;
  Names synced_names_;
  std::uint64_t life_ = 0;
  std::uint64_t syncs_ = 0;
  bool dead_ = false;
  bool full_ = false;
};

}  // namespace qiao::sim
