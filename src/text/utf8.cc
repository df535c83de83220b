// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

namespace qiao {
namespace {

// Length of the sequence that `lead` begins and the lowest code point it may hold; 0: none.
struct Lead {
  std::size_t length = 0;
  char32_t bits = 0;
  char32_t least = 0;
};

Lead lead_of(unsigned char byte) {
  if (byte >= 0xC2 && byte < 0xE0) return {2, byte & 0x1FU, 0x80};
  if (byte >= 0xE0 && byte < 0xF0) return {3, byte & 0x0FU, 0x800};
  if (byte >= 0xF0 && byte < 0xF5) return {4, byte & 0x07U, 0x10000};
  return {};
}

char as_char(char32_t value) {
  return static_cast<char>(static_cast<unsigned char>(value));
}

bool is_latin_fullwidth(char32_t code) {
  return (code >= 0xFF21 && code <= 0xFF3A) || (code >= 0xFF41 && code <= 0xFF5A);
}

CharClass class_of_ascii(char32_t code) {
  if (code >= '0' && code <= '9') return CharClass::kDigit;
  if ((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z')) return CharClass::kLatin;
  if (code == ' ' || (code >= '\t' && code <= '\r')) return CharClass::kSpace;
  return CharClass::kPunctuation;
}

CharClass class_of_letter(char32_t code) {
  UErrorCode status = U_ZERO_ERROR;
  switch (uscript_getScript(static_cast<UChar32>(code), &status)) {
    case USCRIPT_LATIN:
      return CharClass::kLatin;
    case USCRIPT_HAN:
      return CharClass::kHan;
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
      return CharClass::kKana;
    default:
      return CharClass::kOther;
  }
}

bool is_apostrophe(char32_t code) {
  return code == '\'' || code == 0x2019;
}

// Combining marks belong to the run they stand in.
bool continues(CharClass kind, char32_t code) {
  return kind == CharClass::kLatin && u_charType(static_cast<UChar32>(code)) == U_NON_SPACING_MARK;
}

// The end of the run that begins before `at` and is of `kind`.
std::size_t end_of_run(std::string_view text, CharClass kind, std::size_t at) {
  while (at < text.size()) {
    std::size_t after = at;
    const char32_t code = next_code_point(text, after);
    if (class_of(code) == kind || continues(kind, code)) {
      at = after;
      continue;
    }
    if (kind != CharClass::kLatin || !is_apostrophe(code) || after >= text.size()) break;
    std::size_t beyond = after;
    if (class_of(next_code_point(text, beyond)) != CharClass::kLatin) break;
    at = beyond;
  }
  return at;
}

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at++]);
  if (first < 0x80) return first;
  const Lead lead = lead_of(first);
  if (lead.length == 0 || at + lead.length - 1 > text.size()) return kReplacement;
  char32_t code = lead.bits;
  for (std::size_t i = 0; i + 1 < lead.length; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + i]);
    if ((byte & 0xC0U) != 0x80U) return kReplacement;
    code = (code << 6U) | (byte & 0x3FU);
  }
  if (code < lead.least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
    return kReplacement;
  at += lead.length - 1;
  return code;
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out.push_back(as_char(code));
  } else if (code < 0x800) {
    out.push_back(as_char(0xC0 | (code >> 6U)));
    out.push_back(as_char(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out.push_back(as_char(0xE0 | (code >> 12U)));
    out.push_back(as_char(0x80 | ((code >> 6U) & 0x3F)));
    out.push_back(as_char(0x80 | (code & 0x3F)));
  } else {
    out.push_back(as_char(0xF0 | (code >> 18U)));
    out.push_back(as_char(0x80 | ((code >> 12U) & 0x3F)));
    out.push_back(as_char(0x80 | ((code >> 6U) & 0x3F)));
    out.push_back(as_char(0x80 | (code & 0x3F)));
  }
}

CharClass class_of(char32_t code) {
  if (code < 0x80) return class_of_ascii(code);
  if (code >= 0x4E00 && code <= 0x9FFF) return CharClass::kHan;  // the common block, no look-up
  if (code == 0x3000 || u_isUWhiteSpace(static_cast<UChar32>(code))) return CharClass::kSpace;
  if (code >= 0xFF10 && code <= 0xFF19) return CharClass::kDigit;
  if (is_latin_fullwidth(code)) return CharClass::kLatin;
  if (code == 0x3007) return CharClass::kHan;  // 〇 is a number by Unicode, a character to us
  if (u_isalpha(static_cast<UChar32>(code))) return class_of_letter(code);
  if (u_isdigit(static_cast<UChar32>(code))) return CharClass::kDigit;
  return CharClass::kPunctuation;
}

std::vector<Run> runs_of(std::string_view text, std::size_t runs_max) {
  std::vector<Run> runs;
  std::size_t at = 0;
  while (at < text.size() && runs.size() < runs_max) {
    const std::size_t begin = at;
    const CharClass kind = class_of(next_code_point(text, at));
    if (kind == CharClass::kSpace || kind == CharClass::kPunctuation) continue;
    if (kind != CharClass::kHan) at = end_of_run(text, kind, at);
    runs.push_back({kind, begin, at});
  }
  return runs;
}

}  // namespace qiao
