// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <re2/re2.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalise.h"
#include "text/span.h"

namespace qiao::text {

inline constexpr std::size_t kGroupsMax = 7;  // of one pattern, the whole match counted

// One match on the half-width text: groups[0] is all of it, absent groups are empty.
struct Match {
  std::array<std::string_view, kGroupsMax> groups;
  std::size_t begin = 0;  // byte range of groups[0] in the half-width text
  std::size_t end = 0;
};

// Calls `each` for every match of `pattern` that does not overlap the one before.
void each_match(const re2::RE2& pattern, std::string_view text,
                const std::function<void(const Match&)>& each);

// What a pattern proposes; `rank` 0 is the surest.
struct Candidate {
  int rank = 0;
  std::string kind;
  std::string value;
  std::size_t begin = 0;  // byte range in the half-width text
  std::size_t end = 0;
};

// The candidates that stand: surer ones first, then earlier, then longer; none overlaps another.
// In the order of the text, told in bytes of `original`.
std::vector<Span> settle(std::vector<Candidate> candidates, const HalfWidth& half,
                         std::string_view original);

// A number as people write it: digits in groups joined by single blanks or hyphens.
struct DigitGroup {
  std::size_t begin = 0;
  std::size_t end = 0;
};
// The groups of digits in `text`; an X after the digits of a possible resident ID belongs to it.
std::vector<DigitGroup> digit_groups(std::string_view text);
bool is_digit(char c);
bool is_letter(char c);
std::string digits_of(std::string_view text);

// Mainland mobiles (also 86…), +… and 555-123-4567; with `land_lines` also 010-12345678 and 400….
void find_phones(std::string_view text, bool land_lines, int rank,
                 std::vector<Candidate>& candidates);
void find_emails(std::string_view text, int rank, std::vector<Candidate>& candidates);

}  // namespace qiao::text
