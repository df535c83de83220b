// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace qiao::model {

// A matrix as whole numbers of eight bits with one scale for each row (an output channel):
// value = number · scale. Scales are binary16's, so that a GGUF in Q8_0 holds the same matrix:
// quantising what was quantised changes nothing.
struct Int8Rows {
  std::vector<std::int8_t> numbers;  // row by row, -127 to 127
  std::vector<float> scales;         // one a row; 0 for a row of zeros
};

// Each row's greatest value becomes ±127. Requires: row > 0, values.size() a multiple of it.
Int8Rows quantise_rows(std::span<const float> values, std::size_t row);

// The bytes of a GGUF tensor in Q8_0, every block of a row with the row's scale.
// Requires: row a multiple of kQ8Block.
inline constexpr std::size_t kQ8Block = 32;
std::string q8_bytes(const Int8Rows& rows, std::size_t row);

}  // namespace qiao::model
