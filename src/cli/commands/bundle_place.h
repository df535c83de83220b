// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace qiao::cli {

inline constexpr std::int64_t kLoadBundleMs = 300'000;  // converting, loading and trying a version

// A version as a person names it, for the server: a folder by its whole path, the rest as it is.
std::string bundle_place(const std::string& what);

}  // namespace qiao::cli
