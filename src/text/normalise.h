// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qiao {

// NFKC with case folding (Unicode's NFKC_Casefold, by ICU), runs of white space as one blank, none
// at the ends. Invalid bytes become U+FFFD. Simplified and traditional characters stay as they are.
std::string normalise(std::string_view text);

// As normalise(), and without punctuation, symbols and blanks: equal for texts that differ only in
// how they are written. Empty when nothing is left.
std::string match_key(std::string_view text);

// The text with full-width ASCII and the ideographic space made half-width, invalid bytes made
// U+FFFD, and where each byte came from: patterns run on `text`, results are told in bytes of the
// original.
struct HalfWidth {
  std::string text;
  std::vector<std::uint32_t> origin;  // text.size() + 1 entries
};
// Texts of 4 GiB and more are cut there.
HalfWidth half_width(std::string_view text);

}  // namespace qiao
