// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include "text/entity_rules.h"

namespace qiao::text {
namespace {

constexpr std::size_t kSizeMin = 6;
constexpr std::size_t kSizeMax = 24;

std::size_t count_digits(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_digit));
}

std::string upper(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ') out.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

// "order 1000 units" names no order: without 号, number or # it takes more to be one.
bool believable(std::string_view sign, std::string_view number) {
  const std::size_t digits = count_digits(number);
  if (!sign.empty()) return digits >= 3;
  return number.size() >= kSizeMin && digits >= 4;
}

void find_named(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kNamed(
      R"((?i)(?:订单|运单|快递单|物流单|单子|\border|\btracking|\bparcel|\bpackage) ?)"
      R"((号码?|编号|单号|number|num\b|no\b\.?|id\b|code|#)?)"
      R"([ :,，]*(?:是|为|is )?[ :]*#?([a-z0-9][a-z0-9-]{2,22}[a-z0-9])(?:$|[^a-z0-9]))");
  each_match(kNamed, text, [&](const Match& match) {
    const std::string_view number = match.groups[2];
    if (!believable(match.groups[1], number)) return;
    const auto begin = static_cast<std::size_t>(number.data() - text.data());
    candidates.push_back({rank, "order_number", upper(number), begin, begin + number.size()});
  });
}

// QX20240001, A-10772: few letters, many digits.
void find_shaped(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kShaped(R"((?i)\b([a-z]{1,4}-?\d[a-z0-9-]{3,20}[a-z0-9])\b)");
  constexpr std::size_t kDigitsMin = 5;
  each_match(kShaped, text, [&](const Match& match) {
    const std::string_view number = match.groups[1];
    const std::size_t digits = count_digits(number);
    if (digits < kDigitsMin || digits * 2 < number.size() || number.size() > kSizeMax) return;
    candidates.push_back({rank, "order_number", upper(number), match.begin, match.end});
  });
}

// A message that is nothing but a number answers the question for one.
void find_bare(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kBare(R"(^\s*#?(\d{6,20})\s*[.。!！]?\s*$)");
  each_match(kBare, text, [&](const Match& match) {
    const std::string_view number = match.groups[1];
    const auto begin = static_cast<std::size_t>(number.data() - text.data());
    candidates.push_back({rank, "order_number", std::string(number), begin, begin + number.size()});
  });
}

}  // namespace

void find_order_numbers(std::string_view text, int named_rank, int plain_rank,
                        std::vector<Candidate>& candidates) {
  find_named(text, named_rank, candidates);
  find_shaped(text, plain_rank, candidates);
  find_bare(text, plain_rank, candidates);
}

}  // namespace qiao::text
