// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/result.h"

namespace qiao::model {

// Closes every descriptor of this process but 0, 1, 2 and `keep`.
void close_all_but(int keep);

// Gives up, for good, all that running a model does not need: no new privileges, no core dumps,
// at most `memory_bytes_max` of address space, and of the kernel only memory, threads of this
// process, time, random numbers, and reading and writing what is open already (a list of what is
// allowed, by libseccomp; all else fails with EPERM). It can open no file, make no socket, start
// no program and signal no other process. Requires: one thread.
Status restrict_process(std::size_t memory_bytes_max);

}  // namespace qiao::model
