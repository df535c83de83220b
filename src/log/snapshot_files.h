// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "log/log.h"

namespace qiao::segment {

// The snapshots beside the segments: the newest `kSnapshotsKept`, each one file, checked by sums.
// Thread-safe. Calls block on disk.
class SnapshotFiles {
 public:
  static constexpr std::size_t kSnapshotsKept = 2;

  SnapshotFiles(Disk& disk, std::string directory);

  Status save(const Snapshot& snapshot);
  // The newest that is whole; says in the program's log which ones it passed over. `corrupt` when
  // there are some and none is whole.
  Result<std::optional<Snapshot>> load();

 private:
  Result<std::vector<std::string>> names();  // oldest first

  Disk& disk_;
  const std::string directory_;
  std::mutex mutex_;
};

}  // namespace qiao::segment
