// SPDX-License-Identifier: Apache-2.0
#include "text/terms.h"

#include "text/normalise.h"
#include "text/utf8.h"

namespace qiao {
namespace {

constexpr std::size_t kTermBytesMax = 64;
// Enough for kTermsMax terms of any script; keeps a hostile message from being folded whole.
constexpr std::size_t kBytesPerTerm = 16;

// Plural and third person s off ("orders", "parcels"), but not from "ss", "us", "is"
// (Harman 1991, the "S" stemmer).
std::string_view stem(std::string_view word) {
  if (word.size() <= 3 || word.back() != 's') return word;
  const char before = word[word.size() - 2];
  if (before == 's' || before == 'u' || before == 'i') return word;
  word.remove_suffix(1);
  return word;
}

}  // namespace

std::vector<std::string> terms_of(std::string_view text, std::size_t terms_max) {
  const std::size_t bytes_max =
      terms_max < SIZE_MAX / kBytesPerTerm ? terms_max * kBytesPerTerm : text.size();
  const std::string folded = normalise(text.substr(0, bytes_max));
  const std::string_view view = folded;
  std::vector<std::string> terms;
  const Run* previous = nullptr;
  const std::vector<Run> runs = runs_of(view, terms_max);
  for (const Run& run : runs) {
    const std::string_view word = view.substr(run.begin, run.end - run.begin);
    const bool pair = previous != nullptr && run.kind == CharClass::kHan &&
                      previous->kind == CharClass::kHan && previous->end == run.begin;
    if (pair) terms.emplace_back(view.substr(previous->begin, run.end - previous->begin));
    terms.emplace_back(run.kind == CharClass::kLatin ? stem(word).substr(0, kTermBytesMax)
                                                     : word.substr(0, kTermBytesMax));
    previous = &run;
    if (terms.size() >= terms_max) break;
  }
  if (terms.size() > terms_max) terms.resize(terms_max);
  return terms;
}

}  // namespace qiao
