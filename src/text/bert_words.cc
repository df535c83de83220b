// SPDX-License-Identifier: Apache-2.0
#include "text/bert_words.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <utility>

#include "text/utf8.h"

namespace qiao {
namespace {

UChar32 code_of(char32_t code) {
  return static_cast<UChar32>(code);
}

bool is_blank(char32_t code) {
  return code == '\t' || code == '\n' || code == '\r' || u_isUWhiteSpace(code_of(code)) != 0;
}

// Controls, formats and private use (unassigned characters stay). Tab and line ends are blanks.
bool is_dropped(char32_t code) {
  if (code == '\t' || code == '\n' || code == '\r') return false;
  if (code == 0 || code == kReplacement) return true;
  constexpr std::uint32_t kOther = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK | U_GC_CS_MASK;
  return (U_GET_GC_MASK(code_of(code)) & kOther) != 0;
}

bool is_punctuation(char32_t code) {
  const bool ascii = (code >= '!' && code <= '/') || (code >= ':' && code <= '@') ||
                     (code >= '[' && code <= '`') || (code >= '{' && code <= '~');
  return ascii || (U_GET_GC_MASK(code_of(code)) & U_GC_P_MASK) != 0;
}

// The blocks BERT calls Chinese: the unified ideographs and their compatibility forms.
bool is_ideograph(char32_t code) {
  constexpr std::pair<char32_t, char32_t> kBlocks[] = {
      {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},   {0x20000, 0x2A6DF},
      {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F}, {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};
  for (const auto& [first, last] : kBlocks) {
    if (code >= first && code <= last) return true;
  }
  return false;
}

// Cuts the stream of normalised characters into words.
class Splitter {
 public:
  void add(char32_t code, std::uint32_t origin, bool alone) {
    if (is_blank(code)) return cut();
    alone = alone || is_punctuation(code);
    if (alone) cut();
    word_.text.push_back(code);
    word_.origin.push_back(origin);
    if (alone) cut();
  }
  std::vector<BertWord> take() {
    cut();
    return std::move(words_);
  }
  void cut() {
    if (!word_.text.empty()) words_.push_back(std::exchange(word_, {}));
  }

 private:
  std::vector<BertWord> words_;
  BertWord word_;
};

// Appends the lower case of `code`, which may be several characters (İ).
void append_lower(std::u32string& out, char32_t code) {
  if (code < 0x80) {
    out.push_back(code >= 'A' && code <= 'Z' ? code - 'A' + 'a' : code);
    return;
  }
  icu::UnicodeString text(code_of(code));
  text.toLower(icu::Locale::getRoot());
  for (std::int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    out.push_back(static_cast<char32_t>(text.char32At(at)));
  }
}

// Appends the canonical decomposition of `code` without its nonspacing marks.
void append_without_accents(std::u32string& out, char32_t code) {
  if (code < 0x80) return out.push_back(code);
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(status);
  icu::UnicodeString text(code_of(code));
  icu::UnicodeString parts;
  if (U_SUCCESS(status) && nfd->getDecomposition(code_of(code), parts) != 0) text = parts;
  for (std::int32_t at = 0; at < text.length(); at = text.moveIndex32(at, 1)) {
    const UChar32 part = text.char32At(at);
    if (u_charType(part) != U_NON_SPACING_MARK) out.push_back(static_cast<char32_t>(part));
  }
}

}  // namespace

std::vector<BertWord> bert_words(std::string_view text, const BertTextRules& rules) {
  Splitter splitter;
  std::uint32_t index = 0;
  std::u32string bare;
  std::u32string lowered;
  for (std::size_t at = 0; at < text.size(); ++index) {
    const char32_t code = next_code_point(text, at);
    if (is_dropped(code)) continue;  // first: some controls (vertical tab) are blanks elsewhere
    if (is_blank(code)) {
      splitter.cut();
      continue;
    }
    bare.clear();
    if (rules.strip_accents) {
      append_without_accents(bare, code);
    } else {
      bare.push_back(code);
    }
    // Blanks around an ideograph are set before it is decomposed (compatibility ideographs are).
    const bool alone = is_ideograph(code);
    if (alone) splitter.cut();
    for (const char32_t part : bare) {
      lowered.clear();
      if (rules.lowercase) {
        append_lower(lowered, part);
      } else {
        lowered.push_back(part);
      }
      for (const char32_t out : lowered) splitter.add(out, index, alone);
    }
  }
  return splitter.take();
}

}  // namespace qiao
