// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "understand/understander.h"

namespace qiao {

inline constexpr std::size_t kCachedTextsMax = 256;
inline constexpr std::size_t kCachedTextBytesMax = 4096;

// The same encoder, remembering the vectors of the last kCachedTextsMax single texts: routes,
// knowledge and filters ask for the same message, and only the first costs a pass. Calls for a
// text that is under way wait for it. Lists of texts and texts over kCachedTextBytesMax go through
// uncached; failures are not remembered. Thread-safe. Null stays null.
std::shared_ptr<Model> cache_embeddings(std::shared_ptr<Model> encoder);
Encoders cache_embeddings(Encoders encoders);

}  // namespace qiao
