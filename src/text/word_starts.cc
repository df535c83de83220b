// SPDX-License-Identifier: Apache-2.0
#include "text/word_starts.h"

#include <unicode/brkiter.h>
#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <memory>

#include "text/utf8.h"

namespace qiao {

std::vector<bool> word_starts(std::string_view text) {
  icu::UnicodeString units;
  std::vector<std::int32_t> places;  // of each code point, in UTF-16 units
  for (std::size_t at = 0; at < text.size();) {
    places.push_back(units.length());
    units.append(static_cast<UChar32>(next_code_point(text, at)));
  }
  std::vector<bool> starts(places.size(), true);  // where ICU has no rules every one is a word
  UErrorCode fault = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> words(
      icu::BreakIterator::createWordInstance(icu::Locale::getChinese(), fault));
  if (U_FAILURE(fault) || words == nullptr) return starts;
  words->setText(units);
  for (std::size_t i = 0; i < places.size(); ++i) starts[i] = words->isBoundary(places[i]) != 0;
  return starts;
}

}  // namespace qiao
