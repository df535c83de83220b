// SPDX-License-Identifier: Apache-2.0
#include "understand/clauses.h"

#include "text/utf8.h"

namespace qiao {
namespace {

bool ends_clause(char32_t code) {
  switch (code) {
    case ',':
    case '.':
    case '!':
    case '?':
    case ';':
    case '\n':
    case 0x2026:  // …
    case 0x3001:  // 、
    case 0x3002:  // 。
    case 0xFF01:  // ！
    case 0xFF0C:  // ，
    case 0xFF1B:  // ；
    case 0xFF1F:  // ？
      return true;
    default:
      return false;
  }
}

bool has_word(std::string_view text) {
  return !runs_of(text, 1).empty();
}

bool is_digit_at(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

}  // namespace

std::vector<std::string_view> clauses_of(std::string_view text, std::size_t clauses_max) {
  std::vector<std::string_view> clauses;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size() && clauses.size() + 1 < clauses_max;) {
    const std::size_t mark = at;
    if (!ends_clause(next_code_point(text, at))) continue;
    if (mark > 0 && is_digit_at(text, mark - 1) && is_digit_at(text, at)) continue;
    const std::string_view clause = text.substr(begin, mark - begin);
    if (has_word(clause)) clauses.push_back(clause);
    begin = at;
  }
  const std::string_view rest = text.substr(begin);
  if (has_word(rest)) clauses.push_back(rest);
  return clauses;
}

}  // namespace qiao
