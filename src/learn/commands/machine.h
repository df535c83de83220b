// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "learn/commands/arguments.h"
#include "learn/commands/progress.h"

namespace qiao::learn {

// What a verb computes with.
struct Machine {
  std::int64_t threads = 0;  // 0: one for each core we may use
  std::string device = "cpu";
};

// --threads and --device.
void declare(Arguments& arguments, Machine& machine);

// Sets both for this process (set_threads(), set_device()) and tells of another device than the
// CPU. Call once, before any work.
Status use(const Machine& machine, Progress& progress);

}  // namespace qiao::learn
