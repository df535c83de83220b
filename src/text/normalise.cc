// SPDX-License-Identifier: Apache-2.0
#include "text/normalise.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>

#include <algorithm>

#include "text/utf8.h"

namespace qiao {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;  // ICU counts bytes in 32 bits

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

// The text with every invalid byte as U+FFFD; ICU leaves them to chance.
std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) append_utf8(out, next_code_point(text, at));
  return out;
}

std::string nfkc_casefold(std::string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normaliser = icu::Normalizer2::getNFKCCasefoldInstance(status);
  std::string out;
  if (U_FAILURE(status)) return std::string(text);  // ICU without its data: compare as written
  out.reserve(text.size());
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kPieceBytes);
    while (size < text.size() && size > kPieceBytes - 4 && is_continuation(text[size])) --size;
    icu::StringByteSink<std::string> sink(&out);
    normaliser->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<std::int32_t>(size)),
                              sink, nullptr, status);
    if (U_FAILURE(status)) {
      out.append(text.substr(0, size));
      status = U_ZERO_ERROR;
    }
    text.remove_prefix(size);
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string folded(std::string_view text) {
  return is_ascii(text) ? ascii_lower(text) : nfkc_casefold(repaired(text));
}

}  // namespace

std::string normalise(std::string_view text) {
  const std::string in = folded(text);
  std::string out;
  out.reserve(in.size());
  bool blank = false;
  for (std::size_t at = 0; at < in.size();) {
    const std::size_t begin = at;
    if (class_of(next_code_point(in, at)) == CharClass::kSpace) {
      blank = !out.empty();
      continue;
    }
    if (blank) out.push_back(' ');
    blank = false;
    out.append(in, begin, at - begin);
  }
  return out;
}

std::string match_key(std::string_view text) {
  const std::string in = folded(text);
  std::string out;
  out.reserve(in.size());
  for (std::size_t at = 0; at < in.size();) {
    const std::size_t begin = at;
    const CharClass kind = class_of(next_code_point(in, at));
    if (kind != CharClass::kSpace && kind != CharClass::kPunctuation)
      out.append(in, begin, at - begin);
  }
  return out;
}

HalfWidth half_width(std::string_view text) {
  text = text.substr(0, UINT32_MAX - 1);
  HalfWidth half;
  half.text.reserve(text.size());
  half.origin.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t code = next_code_point(text, at);
    if (code >= 0xFF01 && code <= 0xFF5E) {
      half.text.push_back(static_cast<char>(code - 0xFF01 + '!'));
    } else if (code == 0x3000) {
      half.text.push_back(' ');
    } else {
      append_utf8(half.text, code);
    }
    while (half.origin.size() < half.text.size())
      half.origin.push_back(static_cast<std::uint32_t>(begin));
  }
  half.origin.push_back(static_cast<std::uint32_t>(text.size()));
  return half;
}

}  // namespace qiao
