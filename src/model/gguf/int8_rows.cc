// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/int8_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/convert/convert_weights.h"

namespace qiao::model {
namespace {

constexpr float kGreatest = 127;

}  // namespace

Int8Rows quantise_rows(std::span<const float> values, std::size_t row) {
  Int8Rows out;
  out.numbers.reserve(values.size());
  for (std::size_t begin = 0; begin < values.size(); begin += row) {
    const auto one = values.subspan(begin, row);
    float greatest = 0;
    for (const float value : one) greatest = std::max(greatest, std::abs(value));
    const float scale = float_of_half(half_of_float(greatest / kGreatest));
    out.scales.push_back(scale);
    for (const float value : one) {
      const float number = scale > 0 ? std::round(value / scale) : 0;
      out.numbers.push_back(static_cast<std::int8_t>(std::clamp(number, -kGreatest, kGreatest)));
    }
  }
  return out;
}

std::string q8_bytes(const Int8Rows& rows, std::size_t row) {
  std::string bytes;
  bytes.reserve(rows.numbers.size() / kQ8Block * (kQ8Block + 2));
  for (std::size_t at = 0; at < rows.numbers.size(); at += kQ8Block) {
    const std::uint16_t scale = half_of_float(rows.scales[at / row]);
    char block[2 + kQ8Block];
    std::memcpy(block, &scale, 2);
    std::memcpy(block + 2, rows.numbers.data() + at, kQ8Block);
    bytes.append(block, sizeof block);
  }
  return bytes;
}

}  // namespace qiao::model
