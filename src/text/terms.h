// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qiao {

inline constexpr std::size_t kTermsMax = 4096;

// What BM25 counts, of the normalised text: Latin words (plural s taken off) and numbers; each Han
// character and each pair of neighbours. In the order of the text, with repeats; at most
// `terms_max`, the rest of the text is left out.
std::vector<std::string> terms_of(std::string_view text, std::size_t terms_max = kTermsMax);

}  // namespace qiao
