// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao::model {

// How many bytes `count` values of a GGUF's number type `type` (Q4_0, Q6_K …) take, in rows of
// `row` values. `unsupported` for a type this build does not know, `corrupt` when a row is no whole
// number of its blocks.
Result<std::size_t> bytes_of_values(std::uint32_t type, std::size_t count, std::size_t row);

// The values as binary32. Requires: the bytes that bytes_of_values() told.
Result<std::vector<float>> decode_values(std::uint32_t type, std::string_view bytes,
                                         std::size_t count);

}  // namespace qiao::model
