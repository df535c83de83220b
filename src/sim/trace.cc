// SPDX-License-Identifier: Apache-2.0
#include "sim/trace.h"

namespace qiao::sim {

void Trace::line(std::string_view who, std::string_view what) {
  std::string line = std::to_string(agenda_.now_us());
  line.append(" ").append(who).append(" ").append(what).append("\n");
  for (const char c : line) sum_ = (sum_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  if (keep_) text_ += line;
}

}  // namespace qiao::sim
