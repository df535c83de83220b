// SPDX-License-Identifier: Apache-2.0
#include "learn/training/threads.h"

#include <ATen/Parallel.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "learn/models/blas_threads.h"

namespace qiao::learn {
namespace {

int usable_cores() {
  cpu_set_t cores;
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

}  // namespace

int set_threads(std::int64_t wanted) {
  constexpr std::int64_t kThreadsMax = 256;
  const std::int64_t threads = wanted > 0 ? std::min(wanted, kThreadsMax) : usable_cores();
  at::set_num_threads(static_cast<int>(threads));
  set_blas_threads(at::get_num_threads());
  return at::get_num_threads();
}

std::int64_t threads_of_each(std::int64_t processes) {
  return std::max<std::int64_t>(1, usable_cores() / processes);
}

void restart_with_passive_waiting(char** arguments) {
  constexpr const char* kPolicy = "OMP_WAIT_POLICY";
  if (::getenv(kPolicy) != nullptr) return;
  ::setenv(kPolicy, "PASSIVE", 1);
  ::execv("/proc/self/exe", arguments);  // when it fails we are only slower
}

}  // namespace qiao::learn
