// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "log/segment_file.h"

// How a segment file is read when it may be damaged: opening and verifying judge by the same eyes.
// One thread at a time; nothing here changes a file.
namespace qiao::segment {

struct FrameAt {
  std::uint64_t position = 0;
  FrameHeader header;
};
// Sees each whole frame; `body` lasts for the call. An Error ends the scan.
using FrameVisitor = std::function<Status(const FrameAt& frame, std::string_view body)>;

// Walks whole frames from `segment.end` on, each continuing the one before, and fills `segment`.
// Stops at the first that is not whole, or at the end of the file.
Status scan_frames(DiskFile& file, Segment& segment, const FrameVisitor& visit = {});

enum class Wanted { kAnyFrame, kSyncedFrame };
// The first frame at or after `position` whose head is sound; its body may be damaged. A synced
// frame was written when everything before it in the file had reached the disk.
Result<std::optional<FrameAt>> find_frame(DiskFile& file, std::uint32_t seed,
                                          std::uint64_t position, Wanted wanted);

}  // namespace qiao::segment
