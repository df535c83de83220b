// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/result.h"

namespace qiao::model {

// How a decoder's matrices are stored: "q8_0" (8.5 bits a weight), or "q4_k" (4.5 bits, with some
// tensors in Q6_K, as llama.cpp chooses them). invalid_argument for another name.
Status check_gguf_numbers(std::string_view type);

// Writes the GGUF `from` as `to` with its matrices in `type`, by llama.cpp. `to` appears whole or
// not at all. `from` must be in F32, BF16, F16: quantising what is quantised loses twice, and is
// `precondition`. Blocks.
Status quantise_gguf(Disk& disk, const std::string& from, const std::string& to,
                     std::string_view type, int threads);

}  // namespace qiao::model
