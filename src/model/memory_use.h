// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace qiao::model {

// Bytes of the process `pid` that are in memory now; 0 when that cannot be read.
std::int64_t resident_bytes(pid_t pid);

}  // namespace qiao::model
