// SPDX-License-Identifier: Apache-2.0
#include "cli/about.h"

namespace qiao::cli {

bool with_llama() {
#ifdef QIAO_WITH_LLAMA
  return true;
#else
  return false;
#endif
}

std::string compiler_name() {
#ifdef __clang__
  return "clang " + std::to_string(__clang_major__);
#else
  return "g++ " + std::to_string(__GNUC__);
#endif
}

std::string build_type() {
  return QIAO_BUILD_TYPE;
}

}  // namespace qiao::cli
