// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "base/disk.h"
#include "log/segment_file.h"
#include "log/segment_log.h"

namespace qiao::segment {

// The segments of a log's directory, checked to the last byte, by first offset; never empty.
struct Recovered {
  std::map<std::uint64_t, std::shared_ptr<Segment>> segments;
  std::unique_ptr<DiskFile> file;  // of the last one, to go on writing
  SegmentLogRecovery report;
};

// Reads every file before it changes anything: `corrupt` leaves the directory as it was. Then cuts
// the torn tail of the last segment, or makes the first one. Blocks.
Result<Recovered> recover(Disk& disk, const SegmentLogOptions& options);

}  // namespace qiao::segment
