// SPDX-License-Identifier: Apache-2.0
#include "text/sentences.h"

#include <algorithm>
#include <array>
#include <functional>
#include <unordered_set>

#include "text/candidates.h"
#include "text/utf8.h"

namespace qiao {
namespace {

using text::is_digit;

constexpr std::array<std::string_view, 17> kAbbreviations = {
    "mr",  "mrs", "ms",  "dr", "prof", "st",     "vs",   "etc", "e.g",
    "i.e", "inc", "ltd", "jr", "sr",   "approx", "dept", "a.m"};
// Abbreviations before a number, words elsewhere: "order no. 5", but "No. I will not."
constexpr std::array<std::string_view, 5> kNumberSigns = {"no", "nos", "tel", "fig", "ref"};
constexpr std::size_t kWordMax = 12;
constexpr std::size_t kGram = 4;
constexpr std::size_t kRepetitionWordsMin = 8;

bool is_closer(char32_t code) {
  return code == '"' || code == '\'' || code == ')' || code == ']' || code == 0x201D ||
         code == 0x2019 || code == 0x300D || code == 0x300F || code == 0xFF09 || code == 0x3011 ||
         code == 0x300B;
}

bool is_hard_end(char32_t code) {
  return code == 0x3002 || code == 0xFF01 || code == 0xFF1F || code == 0xFF1B || code == 0x2026 ||
         code == '!' || code == '?' || code == '\n' || code == 0xFF61;
}

bool is_letter_or_dot(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
}

template <class Words>
bool is_one_of(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Whether the full stop at `dot` ends a sentence.
bool stop_ends(std::string_view text, std::size_t dot) {
  if (dot + 1 < text.size()) {
    std::size_t at = dot + 1;
    const char32_t next = next_code_point(text, at);
    if (class_of(next) != CharClass::kSpace && !is_closer(next)) return false;  // 3.5, qiao.cc
  }
  const bool digit_follows = dot + 2 < text.size() && is_digit(text[dot + 2]);
  std::size_t begin = dot;
  while (begin > 0 && dot - begin < kWordMax && is_letter_or_dot(text[begin - 1])) --begin;
  std::string word(text.substr(begin, dot - begin));
  const bool own_word = begin == 0 || text[begin - 1] == ' ' || text[begin - 1] == '(';
  const bool initial = own_word && word.size() == 1 && word != "I" && word[0] < 'a';
  std::transform(word.begin(), word.end(), word.begin(), lower);
  return !initial && !is_one_of(kAbbreviations, word) &&
         !(digit_follows && is_one_of(kNumberSigns, word));
}

std::string_view trimmed(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t at = begin;
    if (class_of(next_code_point(text, at)) != CharClass::kSpace) break;
    begin = at;
  }
  std::size_t end = begin;
  for (std::size_t at = begin; at < text.size();) {
    if (class_of(next_code_point(text, at)) != CharClass::kSpace) end = at;
  }
  return text.substr(begin, end - begin);
}

// Moves `at` past further end marks and closers: 。” and ?!
void take_rest_of_end(std::string_view text, std::size_t& at) {
  while (at < text.size()) {
    std::size_t after = at;
    const char32_t code = next_code_point(text, after);
    if (!is_closer(code) && !(is_hard_end(code) && code != '\n')) break;
    at = after;
  }
}

}  // namespace

std::vector<std::string_view> sentences_of(std::string_view text, std::size_t sentences_max) {
  std::vector<std::string_view> sentences;
  std::size_t begin = 0;
  const auto flush = [&](std::size_t end) {
    const std::string_view sentence = trimmed(text.substr(begin, end - begin));
    if (!sentence.empty()) sentences.push_back(sentence);
    begin = end;
  };
  for (std::size_t at = 0; at < text.size() && sentences.size() + 1 < sentences_max;) {
    const std::size_t mark = at;
    const char32_t code = next_code_point(text, at);
    if (!is_hard_end(code) && !(code == '.' && stop_ends(text, mark))) continue;
    take_rest_of_end(text, at);
    flush(at);
  }
  flush(text.size());
  return sentences;
}

std::size_t count_words(std::string_view text) {
  return runs_of(text).size();
}

double repetition(std::string_view text) {
  std::vector<Run> runs = runs_of(text);
  if (runs.size() > kRepetitionWordsMax)
    runs.erase(runs.begin(), runs.end() - static_cast<std::ptrdiff_t>(kRepetitionWordsMax));
  if (runs.size() < kRepetitionWordsMin) return 0;
  std::vector<std::size_t> words;
  words.reserve(runs.size());
  for (const Run& run : runs)
    words.push_back(std::hash<std::string_view>{}(text.substr(run.begin, run.end - run.begin)));
  std::unordered_set<std::size_t> seen;
  const std::size_t grams = words.size() - kGram + 1;
  for (std::size_t i = 0; i < grams; ++i) {
    std::size_t hash = 0;
    for (std::size_t k = 0; k < kGram; ++k) hash = hash * 0x9E3779B97F4A7C15ULL + words[i + k];
    seen.insert(hash);
  }
  return 1.0 - static_cast<double>(seen.size()) / static_cast<double>(grams);
}

}  // namespace qiao
