// SPDX-License-Identifier: Apache-2.0
#include "model/gguf/gguf_values.h"

#include <ggml.h>

namespace qiao::model {
namespace {

// Null when ggml has no such type or none that becomes binary32.
const ggml_type_traits* traits_of(std::uint32_t type) {
  if (type >= GGML_TYPE_COUNT) return nullptr;
  const ggml_type_traits* traits = ggml_get_type_traits(static_cast<ggml_type>(type));
  const bool reads = traits->blck_size > 0 && traits->type_size > 0 && traits->to_float != nullptr;
  return reads ? traits : nullptr;
}

Error unknown(std::uint32_t type) {
  return {Code::kUnsupported, "the number type " + std::to_string(type) + " is not read"};
}

}  // namespace

Result<std::size_t> bytes_of_values(std::uint32_t type, std::size_t count, std::size_t row) {
  const ggml_type_traits* traits = traits_of(type);
  if (traits == nullptr) return unknown(type);
  const auto block = static_cast<std::size_t>(traits->blck_size);
  if (row == 0 || row % block != 0 || count % row != 0) {
    return Error{Code::kCorrupt,
                 "rows of " + std::to_string(row) + " are no multiple of " + std::to_string(block)};
  }
  return count / block * traits->type_size;
}

Result<std::vector<float>> decode_values(std::uint32_t type, std::string_view bytes,
                                         std::size_t count) {
  const ggml_type_traits* traits = traits_of(type);
  if (traits == nullptr) return unknown(type);
  std::vector<float> values(count);
  traits->to_float(bytes.data(), values.data(), static_cast<std::int64_t>(count));
  return values;
}

}  // namespace qiao::model
