// SPDX-License-Identifier: Apache-2.0
#include "text/numbers.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "text/candidates.h"
#include "text/normalise.h"
#include "text/numerals.h"

namespace qiao {
namespace {

using text::each_match;
using text::Match;

const re2::RE2& digits_pattern() {
  static const re2::RE2 pattern(R"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)");
  return pattern;
}

std::string plain(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

// As one number, then without its commas as several.
std::vector<std::string> readings(std::string_view number) {
  std::vector<std::string> parts;
  std::string joined;
  std::string part;
  for (const char c : std::string(number) + ",") {
    if (c != ',') {
      joined += c;
      part += c;
      continue;
    }
    parts.push_back(plain(std::strtod(part.c_str(), nullptr)));
    part.clear();
  }
  std::vector<std::string> out = {plain(std::strtod(joined.c_str(), nullptr))};
  if (parts.size() > 1) out.insert(out.end(), parts.begin(), parts.end());
  return out;
}

// `1. `, `2、`, `3)` where a line begins. `text` in half-width form.
bool counts_a_line(std::string_view text, const Match& match) {
  const std::size_t line = text.find_last_of('\n', match.begin) + 1;  // 0 when there is none
  const std::string_view before = text.substr(line, match.begin - line);
  if (before.find_first_not_of(" \t*#-") != std::string_view::npos) return false;
  const std::string_view after = text.substr(match.end);
  return after.starts_with(". ") || after.starts_with(".\n") || after.starts_with("\u3001") ||
         after.starts_with(")");
}

// Calls `each` with the readings of every number in digits, in the order of the text.
template <class Each>
void each_number(std::string_view text, const Each& each) {
  const HalfWidth half = half_width(text);
  each_match(digits_pattern(), half.text, [&](const Match& match) {
    if (!counts_a_line(half.text, match)) each(readings(match.groups[0]));
  });
}

const std::map<std::string, int, std::less<>>& english_numbers() {
  static const std::map<std::string, int, std::less<>> numbers = {
      {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},       {"five", 5},
      {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},       {"ten", 10},
      {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},  {"fifteen", 15},
      {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19},  {"twenty", 20},
      {"thirty", 30},  {"forty", 40},     {"fifty", 50},    {"sixty", 60},     {"seventy", 70},
      {"eighty", 80},  {"ninety", 90},    {"hundred", 100}, {"thousand", 1000}};
  return numbers;
}

}  // namespace

std::set<std::string> numbers_in_digits(std::string_view text) {
  std::set<std::string> out;
  each_number(text, [&](const std::vector<std::string>& number) {
    out.insert(number.begin(), number.end());
  });
  return out;
}

std::set<std::string> numbers_in_words(std::string_view text) {
  static const re2::RE2 chinese("[零〇一二两三四五六七八九十百千万]+");
  static const re2::RE2 english("[a-z]+");
  std::set<std::string> out;
  const std::string folded = normalise(text);
  each_match(chinese, folded, [&](const Match& match) {
    if (const auto value = text::parse_number(match.groups[0])) out.insert(plain(*value));
  });
  each_match(english, folded, [&](const Match& match) {
    const auto known = english_numbers().find(match.groups[0]);
    if (known != english_numbers().end()) out.insert(plain(known->second));
  });
  return out;
}

std::string number_not_in(std::string_view text, const std::set<std::string>& known) {
  std::string missing;
  each_number(text, [&](const std::vector<std::string>& number) {
    const bool whole = known.contains(number.front());
    const bool parts =
        number.size() > 1 && std::all_of(number.begin() + 1, number.end(),
                                         [&](const auto& part) { return known.contains(part); });
    if (missing.empty() && !whole && !parts) missing = number.front();
  });
  return missing;
}

}  // namespace qiao
