// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace qiao::history {

// Text longer than this is searchable by its beginning only.
inline constexpr std::size_t kIndexedBytesMax = 256 << 10;
inline constexpr std::size_t kQueryBytesMax = 1'024;
inline constexpr std::size_t kQueryTermsMax = 32;

// The words of `text`, separated by spaces, as they go into the full-text index. Chinese has no
// spaces between words: a run of n characters becomes its n - 1 pairs and its last character, so
// that a run of any length is found as a phrase of pairs, and one character as the beginning of a
// pair. Full-width letters and digits become the usual ones.
std::string index_words(std::string_view text);

// The FTS5 expression that finds what index_words() made of texts in which all words of `query`
// stand; words inside "quotes", or not separated by a space, must follow one another. Empty when
// there is no word in it. Past kQueryTermsMax the rest is left out. No query is a syntax error.
std::string match_expression(std::string_view query);

}  // namespace qiao::history
