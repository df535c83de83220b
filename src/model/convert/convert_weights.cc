// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_weights.h"

#include <bit>
#include <cstring>

namespace qiao::model {
namespace {

// Product of the sides; an Error when one is not positive or it passes kTensorElementsMax.
Result<std::int64_t> count_elements(const std::vector<std::int64_t>& shape,
                                    const std::string& name) {
  std::int64_t count = 1;
  for (const std::int64_t side : shape) {
    if (side <= 0 || side > kTensorElementsMax / count) {
      return Error{Code::kCorrupt, "tensor " + name + " has an impossible shape"};
    }
    count *= side;
  }
  return count;
}

float float_of_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16U);
}

}  // namespace

Result<Tensor> decode_tensor(std::string_view bytes, ElementType type,
                             const std::vector<std::int64_t>& shape, const std::string& name) {
  QIAO_ASSIGN(const std::int64_t elements, count_elements(shape, name));
  const auto count = static_cast<std::size_t>(elements);
  const bool wide = type == ElementType::kFloat32;
  if (bytes.size() != count * (wide ? 4U : 2U)) {
    return Error{Code::kCorrupt, "tensor " + name + " has another size than its shape"};
  }
  Tensor tensor{shape, std::vector<float>(count)};
  if (wide) {
    std::memcpy(tensor.values.data(), bytes.data(), bytes.size());
    return tensor;
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + 2 * i, 2);
    tensor.values[i] = type == ElementType::kFloat16 ? float_of_half(bits) : float_of_bfloat(bits);
  }
  return tensor;
}

std::string plain_tensor_name(std::string_view name) {
  constexpr std::string_view kModel = "bert.";
  constexpr std::string_view kGamma = ".gamma";
  constexpr std::string_view kBeta = ".beta";
  if (name.starts_with(kModel)) name.remove_prefix(kModel.size());
  const auto stem = [&](std::string_view end) {
    return std::string(name.substr(0, name.size() - end.size()));
  };
  if (name.ends_with(kGamma)) return stem(kGamma) + ".weight";
  if (name.ends_with(kBeta)) return stem(kBeta) + ".bias";
  return std::string(name);
}

float float_of_half(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (bits >> 10U) & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormal: fraction × 2^-24
    const float size = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -size : size;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23U) | (fraction << 13U));
}

std::uint16_t half_of_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t rest = bits & 0x7FFFFFFFU;
  if (rest >= 0x7F800000U) {  // infinity, NaN
    return static_cast<std::uint16_t>(sign | 0x7C00U | (rest > 0x7F800000U ? 0x200U : 0U));
  }
  if (rest >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // rounds past 65504
  std::uint32_t mantissa = 0;
  std::uint32_t shift = 13;
  if (rest < 0x38800000U) {  // subnormal in binary16
    if (rest < 0x33000000U) return static_cast<std::uint16_t>(sign);
    shift = 126U - (rest >> 23U);
    mantissa = (rest & 0x7FFFFFU) | 0x800000U;
  } else {
    mantissa = rest - 0x38000000U;
  }
  const std::uint32_t half = std::uint32_t{1} << (shift - 1);
  const std::uint32_t below = mantissa & ((half << 1U) - 1);
  std::uint32_t rounded = mantissa >> shift;
  if (below > half || (below == half && (rounded & 1U) != 0)) ++rounded;
  return static_cast<std::uint16_t>(sign | rounded);
}

}  // namespace qiao::model
