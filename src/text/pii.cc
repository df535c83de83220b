// SPDX-License-Identifier: Apache-2.0
#include "text/pii.h"

#include <algorithm>
#include <array>

#include "text/candidates.h"

namespace qiao {
namespace {

using text::Candidate;
using text::DigitGroup;
using text::is_digit;

constexpr int kSure = 0;
constexpr std::size_t kJoinedMax = 6;  // groups of one number: 6222 0212 3456 7890 123 has five
constexpr std::size_t kIdSize = 18;
constexpr std::size_t kCardSizeMax = 19;

int digit(char c) {
  return c - '0';
}

int number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + digit(c);
  return value;
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_digit);
}

bool possible_birth_date(std::string_view id) {
  const int year = number(id.substr(6, 4));
  const int month = number(id.substr(10, 2));
  const int day = number(id.substr(12, 2));
  return year >= 1900 && year < 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool luhn(std::string_view digits) {
  int sum = 0;
  bool twice = false;
  for (auto it = digits.rbegin(); it != digits.rend(); ++it, twice = !twice) {
    const int value = digit(*it) * (twice ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

// Issuers' first digits and the lengths they use: UnionPay, older mainland debit cards, Visa,
// Mastercard, American Express, JCB, Discover.
struct Issuer {
  int low;
  int high;
  std::size_t prefix;
  std::size_t size_min;
  std::size_t size_max;
};
constexpr std::array<Issuer, 11> kIssuers = {{{62, 62, 2, 16, 19},
                                              {81, 81, 2, 16, 19},
                                              {9558, 9559, 4, 16, 19},
                                              {60, 60, 2, 16, 19},
                                              {4, 4, 1, 13, 19},
                                              {51, 55, 2, 16, 16},
                                              {2221, 2720, 4, 16, 16},
                                              {34, 34, 2, 15, 15},
                                              {37, 37, 2, 15, 15},
                                              {3528, 3589, 4, 16, 19},
                                              {644, 659, 3, 16, 19}}};

bool known_issuer(std::string_view digits) {
  return std::any_of(kIssuers.begin(), kIssuers.end(), [&](const Issuer& issuer) {
    const int prefix = number(digits.substr(0, issuer.prefix));
    return prefix >= issuer.low && prefix <= issuer.high && digits.size() >= issuer.size_min &&
           digits.size() <= issuer.size_max;
  });
}

// The digits, and an X, of [begin, end).
std::string compact(std::string_view text, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    if (is_digit(text[i])) out.push_back(text[i]);
    if (text[i] == 'x' || text[i] == 'X') out.push_back('X');
  }
  return out;
}

std::string kind_of(const std::string& value) {
  if (value.size() == kIdSize && valid_resident_id(value)) return "resident_id";
  return valid_bank_card(value) ? "bank_card" : "";
}

bool joined(std::string_view text, const DigitGroup& a, const DigitGroup& b) {
  return b.begin == a.end + 1 && (text[a.end] == ' ' || text[a.end] == '-');
}

bool free_standing(std::string_view text, std::size_t begin, std::size_t end) {
  const auto part_of_word = [](char c) { return is_digit(c) || text::is_letter(c); };
  return (begin == 0 || !part_of_word(text[begin - 1])) &&
         (end == text.size() || !part_of_word(text[end]));
}

// The longest number that begins with groups[first] and is an ID or a card; returns the groups
// it took, at least one.
std::size_t take_number(std::string_view text, const std::vector<DigitGroup>& groups,
                        std::size_t first, std::vector<Candidate>& candidates) {
  std::size_t last = first;
  while (last + 1 < groups.size() && last - first + 1 < kJoinedMax &&
         joined(text, groups[last], groups[last + 1]))
    ++last;
  for (std::size_t end = last + 1; end > first; --end) {
    const DigitGroup range{groups[first].begin, groups[end - 1].end};
    if (range.end - range.begin > kCardSizeMax + kJoinedMax) continue;
    std::string value = compact(text, range.begin, range.end);
    const std::string kind = kind_of(value);
    if (kind.empty() || !free_standing(text, range.begin, range.end)) continue;
    candidates.push_back({kSure, kind, std::move(value), range.begin, range.end});
    return end - first;
  }
  return 1;
}

// 138****5678; everything but the first three and last four digits.
std::string mask_number(std::string_view number) {
  const auto counts = [](char c) { return is_digit(c) || c == 'X' || c == 'x'; };
  const auto digits = std::count_if(number.begin(), number.end(), counts);
  std::string out;
  std::ptrdiff_t seen = 0;
  for (const char c : number) {
    if (counts(c)) ++seen;
    const bool open = !counts(c) || seen <= 3 || seen + 4 > digits;
    out.push_back(open ? c : '*');
  }
  return out;
}

std::string mask(const Span& span) {
  if (span.kind == "email")
    return span.value.substr(0, 1) + "***" + span.value.substr(span.value.find('@'));
  return mask_number(half_width(span.text).text);
}

}  // namespace

bool valid_resident_id(std::string_view id) {
  constexpr std::array<int, kIdSize - 1> kWeights = {7, 9, 10, 5,  8, 4, 2, 1, 6,
                                                     3, 7, 9,  10, 5, 8, 4, 2};
  constexpr std::string_view kChecks = "10X98765432";
  if (id.size() != kIdSize || !all_digits(id.substr(0, kIdSize - 1)) || id[0] == '0') return false;
  if (!possible_birth_date(id)) return false;
  int sum = 0;
  for (std::size_t i = 0; i < kWeights.size(); ++i) sum += kWeights[i] * digit(id[i]);
  const char last = id.back() == 'x' ? 'X' : id.back();
  return last == kChecks[static_cast<std::size_t>(sum % 11)];
}

bool valid_bank_card(std::string_view digits) {
  constexpr std::size_t kSizeMin = 13;
  return digits.size() >= kSizeMin && digits.size() <= kCardSizeMax && all_digits(digits) &&
         known_issuer(digits) && luhn(digits);
}

std::vector<Span> find_pii(std::string_view text) {
  const HalfWidth half = half_width(text);
  std::vector<Candidate> candidates;
  const std::vector<DigitGroup> groups = text::digit_groups(half.text);
  for (std::size_t i = 0; i < groups.size();) i += take_number(half.text, groups, i, candidates);
  text::find_emails(half.text, kSure, candidates);
  text::find_phones(half.text, false, kSure + 1, candidates);
  return text::settle(std::move(candidates), half, text);
}

std::string mask_pii(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (const Span& span : find_pii(text)) {
    out.append(text.substr(at, span.begin - at)).append(mask(span));
    at = span.end;
  }
  return out.append(text.substr(at));
}

}  // namespace qiao
