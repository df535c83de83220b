// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace qiao {

// "0.1.0", from the root CMakeLists.
std::string_view version();

}  // namespace qiao
