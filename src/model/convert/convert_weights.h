// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao::model {

// A tensor as PyTorch stores it: `shape` outermost first, values row by row.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

inline constexpr std::int64_t kTensorElementsMax = std::int64_t{1} << 30;

// The weights of one model in a foreign format, by Hugging Face's names
// (`encoder.layer.0.attention.self.query.weight`). A damaged file gives `corrupt` or
// `unsupported` with the tensor's name. One thread at a time.
class WeightFile {
 public:
  WeightFile() = default;
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;
  virtual ~WeightFile() = default;

  [[nodiscard]] virtual bool has(const std::string& name) const = 0;
  virtual Result<Tensor> read(const std::string& name) = 0;
  // Stored as eight-bit numbers with one scale a row (gguf/int8_rows.h); read() gives the values.
  [[nodiscard]] virtual bool is_int8(const std::string& /*name*/) const { return false; }
};

// How a file stores its numbers (little-endian).
enum class ElementType { kFloat32, kFloat16, kBfloat16 };

// The tensor `name` from its stored bytes; `corrupt` when they do not fill `shape` exactly.
Result<Tensor> decode_tensor(std::string_view bytes, ElementType type,
                             const std::vector<std::int64_t>& shape, const std::string& name);

// The name without a leading `bert.`; old endings `gamma` and `beta` become `weight` and `bias`.
std::string plain_tensor_name(std::string_view name);

// binary32 to binary16 (IEEE 754), to nearest even.
std::uint16_t half_of_float(float value);
float float_of_half(std::uint16_t bits);

}  // namespace qiao::model
