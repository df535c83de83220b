// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace qiao::learn {

inline constexpr std::size_t kServedStretchesMax = 16;
inline constexpr std::size_t kServedStretchTokens = 256;

// How llama.cpp runs a decoder's GGUF: {accuracy (of the next token), perplexity, tokens, bytes,
// ms_per_token, characters and characters_left_out (of the whole text)}. The text is told in
// stretches as score_text() does, with the file's own tokenizer; at most kServedStretchesMax of
// them. The time is that of reading a stretch.
Result<Json> measure_decoder(const std::string& gguf, const std::string& text, int threads,
                             const std::atomic<bool>& stop);

// {before, after, lost, faster} of two such measurements, as measure_shrunk() names them.
Result<Json> measure_shrunk_decoder(const std::string& before, const std::string& after,
                                    const std::string& text, int threads,
                                    const std::atomic<bool>& stop);

}  // namespace qiao::learn
