// SPDX-License-Identifier: Apache-2.0
#include "model/memory_use.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace qiao::model {

std::int64_t resident_bytes(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  return statm >> total >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace qiao::model
