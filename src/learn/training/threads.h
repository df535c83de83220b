// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace qiao::learn {

// Gives libtorch `wanted` threads (0: one for each core we may use) and tells how many it has.
// Call once, before any work.
int set_threads(std::int64_t wanted);
// The cores we may use, shared among so many processes; at least 1.
std::int64_t threads_of_each(std::int64_t processes);

// Threads that wait must sleep: with OpenMP's default they spin and take the core from those that
// work. OpenMP reads its settings when it is loaded, so the program starts itself again with
// OMP_WAIT_POLICY=PASSIVE unless the variable is set already.
void restart_with_passive_waiting(char** arguments);

}  // namespace qiao::learn
