// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qiao {

inline constexpr char32_t kReplacement = 0xFFFD;

// Reads the code point at `at` and moves `at` past it. A byte that starts no valid sequence
// (RFC 3629: no overlong forms, no surrogates) counts as one U+FFFD. Requires: at < text.size().
char32_t next_code_point(std::string_view text, std::size_t& at);
void append_utf8(std::string& out, char32_t code);

// What a character is to everything that counts or compares words.
enum class CharClass : std::uint8_t {
  kSpace,
  kPunctuation,  // and symbols, emoji, controls
  kDigit,        // 0-9, also full width
  kLatin,        // letters with and without accents, also full width
  kHan,          // Chinese characters, simplified and traditional
  kKana,         // hiragana, katakana
  kOther,        // letters of every other script
};
CharClass class_of(char32_t code);

// A run of characters that belong together: a Latin word, a number, one Han character, a run of
// another script. Spaces and punctuation are in no run.
struct Run {
  CharClass kind = CharClass::kOther;
  std::size_t begin = 0;  // byte range in the text
  std::size_t end = 0;
};
// The first `runs_max` runs of `text`. A word keeps its inner apostrophe ("don't"); letters and
// digits do not share a run.
std::vector<Run> runs_of(std::string_view text, std::size_t runs_max = SIZE_MAX);

}  // namespace qiao
