// SPDX-License-Identifier: Apache-2.0
#include "text/clean.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>
#include <unicode/translit.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "text/utf8.h"

namespace qiao {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;  // ICU counts bytes in 32 bits

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

// Marks of direction, soft hyphens, zero-width blanks, byte-order marks. Joiners (U+200C, U+200D)
// are part of words and of emoji.
bool is_invisible(char32_t code) {
  return code == 0xAD || code == 0x200B || code == 0x200E || code == 0x200F ||
         (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x2069) ||
         code == 0xFEFF || (code >= 0xFFF9 && code <= 0xFFFB);
}

// UAX 14's, among them the line tabulation and the form feed between pages.
bool is_line_end(char32_t code) {
  return (code >= '\n' && code <= '\r') || code == 0x85 || code == 0x2028 || code == 0x2029;
}

char32_t with_width(char32_t code, WidthRule rule) {
  if (rule == WidthRule::kKeep) return code;
  if (code == 0x3000) return ' ';
  if (code < 0xFF01 || code > 0xFF5E) return code;
  const char32_t half = code - 0xFF01 + '!';
  const bool letter =
      (half >= '0' && half <= '9') || (half >= 'A' && half <= 'Z') || (half >= 'a' && half <= 'z');
  return letter || rule == WidthRule::kAll ? half : code;
}

// Controls gone, line ends and widths made one. True when NFKC may change something.
bool sift(std::string_view text, WidthRule rule, std::string& out) {
  bool foreign = false;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    char32_t code = next_code_point(text, at);
    if (code == '\r' && at < text.size() && text[at] == '\n') ++at;
    if (is_line_end(code)) {
      out.push_back('\n');
      continue;
    }
    if ((is_control(code) && code != '\t') || is_invisible(code)) continue;
    code = with_width(code, rule);
    foreign = foreign || code >= 0x80;
    append_utf8(out, code);
  }
  return foreign;
}

// NFKC that leaves full-width forms and the ideographic blank alone; null without ICU's data.
const icu::Normalizer2* normaliser() {
  static const std::unique_ptr<const icu::Normalizer2> one = [] {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* nfkc = icu::Normalizer2::getNFKCInstance(status);
    if (U_FAILURE(status)) return std::unique_ptr<const icu::Normalizer2>();
    static icu::UnicodeSet touched(0, 0x10FFFF);
    touched.remove(0xFF01, 0xFF5E).remove(0xFFE0, 0xFFE6).remove(0x3000).freeze();
    return std::unique_ptr<const icu::Normalizer2>(new icu::FilteredNormalizer2(*nfkc, touched));
  }();
  return one.get();
}

std::string nfkc(std::string text) {
  const icu::Normalizer2* to_nfkc = normaliser();
  if (to_nfkc == nullptr) return text;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.size(), at + kPieceBytes);
    // A line's end stands between characters that do not act on each other.
    if (const std::size_t line = text.rfind('\n', end);
        end < text.size() && line != std::string::npos && line > at) {
      end = line;
    }
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    UErrorCode status = U_ZERO_ERROR;
    icu::StringByteSink<std::string> sink(&out);
    to_nfkc->normalizeUTF8(0,
                           icu::StringPiece(text.data() + at, static_cast<std::int32_t>(end - at)),
                           sink, nullptr, status);
    if (U_FAILURE(status)) return text;
    at = end;
  }
  return out;
}

// Blanks at the ends of lines and all but one of several empty lines go.
std::string tidy_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t empty = 0;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    const std::size_t last = text.substr(0, size).find_last_not_of(" \t");
    if (last == std::string_view::npos) {
      ++empty;
    } else {
      if (!out.empty()) out.append(empty > 0 ? 2 : 1, '\n');
      out.append(text.substr(0, last + 1));
      empty = 0;
    }
    text.remove_prefix(std::min(size + 1, text.size()));
  }
  return out.erase(0, std::min(out.find_first_not_of(" \t"), out.size()));
}

// The simplified form of each character between the first and the last that has one.
class Simplified {
 public:
  static constexpr char32_t kFirst = 0x2E80;
  static constexpr char32_t kLast = 0x2FA1F;

  Simplified() {
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<icu::Transliterator> change(
        icu::Transliterator::createInstance("Hant-Hans", UTRANS_FORWARD, status));
    if (U_FAILURE(status) || change == nullptr) return;
    icu::UnicodeSet source;
    change->getSourceSet(source);
    table_.resize(kLast - kFirst + 1);
    for (std::int32_t i = 0; i < source.getRangeCount(); ++i) {
      for (UChar32 code = source.getRangeStart(i); code <= source.getRangeEnd(i); ++code) {
        icu::UnicodeString text(code);
        change->transliterate(text);
        const auto at = static_cast<char32_t>(code);
        if (text.countChar32() == 1 && at >= kFirst && at <= kLast) {
          table_[at - kFirst] = static_cast<char32_t>(text.char32At(0));
        }
      }
    }
    // What is the simple form of another stays: 薴 becomes 苧, and ICU has 苧 and 苎 change places.
    for (const char32_t simple : std::vector<char32_t>(table_)) {
      if (simple >= kFirst && simple <= kLast) table_[simple - kFirst] = 0;
    }
  }
  [[nodiscard]] char32_t of(char32_t code) const {
    if (code < kFirst || code > kLast || table_.empty()) return code;
    const char32_t simple = table_[code - kFirst];
    return simple == 0 ? code : simple;
  }

 private:
  std::vector<char32_t> table_;
};

}  // namespace

std::string simplify(std::string_view text) {
  static const Simplified table;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) append_utf8(out, table.of(next_code_point(text, at)));
  return out;
}

CleanText clean_text(std::string_view text, const CleanRules& rules) {
  std::string sifted;
  const bool foreign = sift(text, rules.width, sifted);
  if (foreign && rules.nfkc) sifted = nfkc(std::move(sifted));
  if (foreign && rules.simplify) sifted = simplify(sifted);
  CleanText out{tidy_lines(sifted)};
  for (std::size_t at = 0; at < out.text.size(); ++out.characters) {
    if (next_code_point(out.text, at) == kReplacement) ++out.replaced;
  }
  return out;
}

}  // namespace qiao
