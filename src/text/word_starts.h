// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

namespace qiao {

// For each code point of `text` whether a word begins there: Unicode's word boundaries (UAX #29),
// Chinese words by ICU's dictionary. Invalid bytes count as one code point each. Thread-safe.
std::vector<bool> word_starts(std::string_view text);

}  // namespace qiao
