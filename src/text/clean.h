// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace qiao {

// What becomes of full-width forms (ＡＢＣ１２３，！ and the ideographic space).
enum class WidthRule : std::uint8_t {
  kLetters,  // letters, digits and the blank become half-width; Chinese punctuation stays
  kAll,
  kKeep,
};

struct CleanRules {
  bool nfkc = true;  // but for full-width forms, which have their own rule
  WidthRule width = WidthRule::kLetters;
  bool simplify = false;
};

struct CleanText {
  std::string text;
  std::size_t characters = 0;
  std::size_t replaced = 0;  // characters that are U+FFFD: bytes that were no UTF-8
};

// A text as a corpus wants it: valid UTF-8; no control characters but tab and line feed, no
// invisible ones but the joiners; every kind of line end a line feed; no blanks at the ends of
// lines, at most one empty line in a row, none at the ends. Cleaning twice is cleaning once.
// Pure, thread-safe, linear.
CleanText clean_text(std::string_view text, const CleanRules& rules);

// Traditional characters as simplified ones, each by itself (ICU's Hant-Hans).
std::string simplify(std::string_view text);

}  // namespace qiao
