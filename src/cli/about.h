// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace qiao::cli {

// What this program was built with, set by the build.
bool with_llama();
std::string compiler_name();
std::string build_type();

}  // namespace qiao::cli
