// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::model {

inline constexpr std::size_t kScoredTokensMax = 512;

// What llama.cpp makes of a file: the scores of the next token after each of `ids` (the first not
// empty, at most kScoredTokensMax), with everything that is not in the file in binary32. `adapter`
// is a LoRA's GGUF, or "". For comparing an exported model with the trained one; loads the file
// and blocks.
Result<std::vector<std::vector<float>>> llama_scores(const std::string& path,
                                                     const std::string& adapter,
                                                     const std::vector<std::int32_t>& ids);

}  // namespace qiao::model
