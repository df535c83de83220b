// SPDX-License-Identifier: Apache-2.0
#include "text/candidates.h"

#include <algorithm>
#include <map>

namespace qiao::text {
namespace {

// Whether [begin, end) overlaps one of the accepted ranges (begin → end, disjoint).
bool overlaps(const std::map<std::size_t, std::size_t>& taken, std::size_t begin, std::size_t end) {
  auto after = taken.lower_bound(begin);
  if (after != taken.end() && after->first < end) return true;
  return after != taken.begin() && std::prev(after)->second > begin;
}

bool surer(const Candidate& a, const Candidate& b) {
  if (a.rank != b.rank) return a.rank < b.rank;
  if (a.begin != b.begin) return a.begin < b.begin;
  return a.end > b.end;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

std::string_view view(const re2::StringPiece& text) {
  return {text.data(), text.size()};
}

}  // namespace

void each_match(const re2::RE2& pattern, std::string_view text,
                const std::function<void(const Match&)>& each) {
  const int groups = std::min(static_cast<int>(kGroupsMax), pattern.NumberOfCapturingGroups() + 1);
  std::array<re2::StringPiece, kGroupsMax> found;
  std::size_t at = 0;
  while (at <= text.size() &&
         pattern.Match(piece(text), at, text.size(), re2::RE2::UNANCHORED, found.data(), groups)) {
    Match match;
    for (std::size_t i = 0; i < static_cast<std::size_t>(groups); ++i)
      match.groups[i] = view(found[i]);
    match.begin = static_cast<std::size_t>(found[0].data() - text.data());
    match.end = match.begin + found[0].size();
    each(match);
    at = std::max(match.end, at + 1);
  }
}

std::vector<Span> settle(std::vector<Candidate> candidates, const HalfWidth& half,
                         std::string_view original) {
  std::stable_sort(candidates.begin(), candidates.end(), surer);
  std::map<std::size_t, std::size_t> taken;
  std::vector<Span> spans;
  for (Candidate& candidate : candidates) {
    if (overlaps(taken, candidate.begin, candidate.end)) continue;
    taken.emplace(candidate.begin, candidate.end);
    const std::size_t begin = half.origin[candidate.begin];
    const std::size_t end = half.origin[candidate.end];
    spans.push_back({std::move(candidate.kind), std::string(original.substr(begin, end - begin)),
                     std::move(candidate.value), begin, end});
  }
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.begin < b.begin; });
  return spans;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string digits_of(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), is_digit);
  return digits;
}

std::vector<DigitGroup> digit_groups(std::string_view text) {
  constexpr std::size_t kIdDigits = 17;
  std::vector<DigitGroup> groups;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    const bool check_x = at - begin <= kIdDigits && at < text.size() &&
                         (text[at] == 'X' || text[at] == 'x') &&
                         (at + 1 == text.size() || !is_letter(text[at + 1]));
    groups.push_back({begin, check_x ? ++at : at});
  }
  return groups;
}

void find_emails(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kEmail(
      R"([A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,24})");
  constexpr std::size_t kBytesMax = 254;  // RFC 5321
  each_match(kEmail, text, [&](const Match& match) {
    if (match.end - match.begin > kBytesMax) return;
    std::string value(match.groups[0]);
    for (char& c : value) c = is_letter(c) ? static_cast<char>(c | 0x20) : c;
    candidates.push_back({rank, "email", std::move(value), match.begin, match.end});
  });
}

void find_phones(std::string_view text, bool land_lines, int rank,
                 std::vector<Candidate>& candidates) {
  static const re2::RE2 kMobile(
      R"((?:^|[^0-9A-Za-z.+-]|[^0-9][.-])((?:(?:\+|00)?86[ -]?)?(1[3-9]\d(?:[ -]?\d{4}){2})))");
  static const re2::RE2 kInternational(
      R"((?:^|[^0-9A-Za-z+])(\+[1-9]\d{0,2}(?:[ -]?\(\d{1,4}\))?(?:[ -]?\d){6,14}))");
  static const re2::RE2 kAmerican(
      R"((?:^|[^0-9A-Za-z-])((?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])\d{3}[.-]\d{4}))");
  static const re2::RE2 kLandLine(
      R"((?:^|[^0-9A-Za-z-])((?:\(0\d{2,3}\) ?|0\d{2,3}[- ]?)[2-9]\d{6,7}|400[- ]?\d{3,4}[- ]?\d{3,4}))");
  const auto add = [&](const re2::RE2& pattern, std::size_t value_group) {
    each_match(pattern, text, [&](const Match& match) {
      const std::size_t begin = match.end - match.groups[1].size();
      const char next = match.end < text.size() ? text[match.end] : ' ';
      if (is_digit(next) || is_letter(next)) return;
      std::string value = match.groups[1].front() == '+' && value_group == 1 ? "+" : "";
      value += digits_of(match.groups[value_group]);
      candidates.push_back({rank, "phone", std::move(value), begin, match.end});
    });
  };
  add(kMobile, 2);
  add(kInternational, 1);
  add(kAmerican, 1);
  if (land_lines) add(kLandLine, 1);
}

}  // namespace qiao::text
