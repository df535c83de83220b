// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.h"

namespace qiao::learn {

// One point of some curves: `loss/train` → 0.3.
using Scalars = std::vector<std::pair<std::string, double>>;

// The curves of a run as TensorBoard reads them: an event file (tensorflow/core/util/event.proto,
// summary.proto) of TFRecords: length, masked CRC-32C of it, the message, masked CRC-32C of that.
// Each point is written when it is told, so that a run can be watched; a cut end is what
// TensorBoard passes over.
//
// One thread at a time. `disk` must outlive the call of open().
class EventFile {
 public:
  // Creates `folder`/events.out.tfevents.SECONDS.qiao; a later one of the same run goes on from it.
  static Result<EventFile> open(Disk& disk, const std::string& folder, double wall_seconds);

  Status add(std::int64_t step, const Scalars& scalars, double wall_seconds);

 private:
  explicit EventFile(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}
  Status append(const std::string& event);
  std::unique_ptr<DiskFile> file_;
  std::uint64_t end_ = 0;
};

// What stands around a message in such a file.
std::string tf_record(const std::string& message);

}  // namespace qiao::learn
