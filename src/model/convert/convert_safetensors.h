// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "model/convert/convert_weights.h"

namespace qiao::model {

inline constexpr std::uint64_t kSafetensorsHeaderBytesMax = 100'000'000;  // the format's own bound

// Reads a safetensors file (github.com/huggingface/safetensors: a JSON header of names, types,
// shapes and byte ranges, then the values). float32, float16, bfloat16, and int8 matrices whose
// rows' scales stand beside them (`NAME_scale`, float32); ranges outside the
// file or unequal to the shape are `corrupt`. Reads one tensor at a time from disk. A leading
// `bert.` is dropped, old names `gamma` and `beta` become `weight` and `bias`.
Result<std::unique_ptr<WeightFile>> open_safetensors(const std::string& path);

}  // namespace qiao::model
