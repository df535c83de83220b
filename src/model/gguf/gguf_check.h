// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace qiao::model {

// What the header of a GGUF file says of its model.
struct GgufSummary {
  std::string architecture;  // "qwen2", "bert" …
  std::string name;
  std::uint64_t context_length = 0;  // it was trained with; 0: not said
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;  // of the file
};

// Bounds of a header; a real one has some hundred tensors, some dozen keys, a vocabulary.
inline constexpr std::uint64_t kGgufTensorsMax = 1 << 16;
inline constexpr std::uint64_t kGgufKeysMax = 1 << 16;
inline constexpr std::uint64_t kGgufStringBytesMax = 16 << 20;
inline constexpr std::uint64_t kGgufHeaderBytesMax = 256 << 20;

// Reads the header of a GGUF file without running any model code: magic, version, keys, and that
// each tensor lies within the file. Errors: `not_found`; `corrupt` (cut short or damaged, says
// where and what to do); `unsupported` (another version, a type this build does not know).
Result<GgufSummary> check_gguf(const std::string& path);

// "encoder" or "generator", by the architecture that check_gguf() finds. Built without llama.cpp,
// only the magic is looked at, and all are generators.
Result<std::string> kind_of_gguf(const std::string& path);

}  // namespace qiao::model
