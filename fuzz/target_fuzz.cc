// SPDX-License-Identifier: Apache-2.0
// Request targets: whatever is taken has a path that begins with / (or is *) and no control.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "net/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const void* bytes = data;
  const auto target = qiao::net::parse_target({static_cast<const char*>(bytes), size});
  if (!target) return 0;
  QIAO_CHECK(target->path == "*" || target->path.starts_with('/'));
  QIAO_CHECK(std::none_of(target->path.begin(), target->path.end(),
                          [](unsigned char c) { return c < 0x20 || c == 0x7F; }));
  return 0;
}
