// SPDX-License-Identifier: Apache-2.0
#include "text/gpt2_words.h"

#include <unicode/uchar.h>

#include <cstdint>

#include "text/utf8.h"

namespace qiao {
namespace {

enum class Kind : std::uint8_t { kSpace, kLetter, kNumber, kSign };

Kind kind_of(char32_t code) {
  if (code >= 0x4E00 && code <= 0x9FFF) return Kind::kLetter;  // the common Han block, no look-up
  const auto letter = static_cast<UChar32>(code);
  if (u_isUWhiteSpace(letter)) return Kind::kSpace;
  const std::uint32_t mask = U_GET_GC_MASK(letter);
  if ((mask & U_GC_L_MASK) != 0) return Kind::kLetter;
  return (mask & U_GC_N_MASK) != 0 ? Kind::kNumber : Kind::kSign;
}

Kind kind_at(std::string_view text, std::size_t at) {
  return kind_of(next_code_point(text, at));
}

std::size_t ending_at(std::string_view text, std::size_t at) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.substr(at, ending.size()) == ending) return ending.size();
  }
  return 0;
}

std::size_t end_of_run(std::string_view text, std::size_t at, Kind kind) {
  while (at < text.size()) {
    std::size_t after = at;
    if (kind_of(next_code_point(text, after)) != kind) break;
    at = after;
  }
  return at;
}

// Of white space that begins at `at`: all of it at the end of the text, else all but its last
// character, but at least one.
std::size_t end_of_space(std::string_view text, std::size_t at) {
  std::size_t last = at;
  std::size_t end = at;
  while (end < text.size()) {
    std::size_t after = end;
    if (kind_of(next_code_point(text, after)) != Kind::kSpace) break;
    last = end;
    end = after;
  }
  return end == text.size() || last == at ? end : last;
}

std::size_t end_of_word(std::string_view text, std::size_t at) {
  if (text[at] == '\'') {
    if (const std::size_t size = ending_at(text, at); size > 0) return at + size;
  }
  const bool blank = text[at] == ' ' && at + 1 < text.size();
  const std::size_t begin = blank ? at + 1 : at;
  const Kind kind = kind_at(text, begin);
  return kind == Kind::kSpace ? end_of_space(text, at) : end_of_run(text, begin, kind);
}

}  // namespace

std::vector<std::string_view> gpt2_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_word(text, at);
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace qiao
