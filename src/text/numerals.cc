// SPDX-License-Identifier: Apache-2.0
#include "text/numerals.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "text/utf8.h"

namespace qiao::text {
namespace {

constexpr double kValueMax = 1e15;
constexpr std::size_t kBytesMax = 64;

constexpr std::array<std::pair<char32_t, int>, 22> kDigits = {
    {{U'零', 0}, {U'〇', 0}, {U'一', 1}, {U'二', 2}, {U'两', 2}, {U'三', 3}, {U'四', 4}, {U'五', 5},
     {U'六', 6}, {U'七', 7}, {U'八', 8}, {U'九', 9}, {U'壹', 1}, {U'贰', 2}, {U'叁', 3}, {U'肆', 4},
     {U'伍', 5}, {U'陆', 6}, {U'柒', 7}, {U'捌', 8}, {U'玖', 9}, {U'俩', 2}}};
constexpr std::array<std::pair<char32_t, double>, 9> kUnits = {{{U'十', 10},
                                                                {U'百', 100},
                                                                {U'千', 1000},
                                                                {U'万', 1e4},
                                                                {U'亿', 1e8},
                                                                {U'拾', 10},
                                                                {U'佰', 100},
                                                                {U'仟', 1000},
                                                                {U'k', 1000}}};

template <class Table>
auto find_in(const Table& table, char32_t code) -> std::optional<decltype(table[0].second)> {
  for (const auto& [character, value] : table) {
    if (character == code) return value;
  }
  return std::nullopt;
}

// Adds up a Chinese number character by character: digit, then unit; 万 and 亿 close a section.
class ChineseSum {
 public:
  bool add(char32_t code) {
    if (const auto digit = find_in(kDigits, code)) {
      // 二〇二六 is read digit by digit; after a unit a digit stands alone.
      digit_ = has_digit_ ? digit_ * 10 + *digit : *digit;
      has_digit_ = true;
      return true;
    }
    const auto unit = find_in(kUnits, code);
    if (!unit || code == U'k') return false;
    if (*unit >= 1e4) {
      if (!close_section(*unit)) return false;
    } else {
      section_ += (has_digit_ ? digit_ : 1) * *unit;
    }
    last_unit_ = *unit;
    digit_ = 0;
    has_digit_ = false;
    return hundred_millions_ <= kValueMax;
  }

  // 三百五 is 350: a last digit right after 百, 千 or 万 counts tenths of that unit.
  [[nodiscard]] double value(bool zero_before_last) const {
    const bool tenths = has_digit_ && digit_ < 10 && last_unit_ >= 100 && !zero_before_last;
    return hundred_millions_ + ten_thousands_ + section_ +
           (tenths ? digit_ * last_unit_ / 10 : digit_);
  }

 private:
  // 万 counts what stands since 亿, 亿 all before it. False when nothing stands there.
  bool close_section(double unit) {
    const double here = section_ + digit_;
    section_ = 0;
    if (unit < 1e8) {
      ten_thousands_ = here * unit;
      return here > 0;
    }
    hundred_millions_ = (hundred_millions_ + ten_thousands_ + here) * unit;
    ten_thousands_ = 0;
    return hundred_millions_ > 0;
  }

  double hundred_millions_ = 0;
  double ten_thousands_ = 0;
  double section_ = 0;
  double digit_ = 0;
  double last_unit_ = 0;
  bool has_digit_ = false;
};

std::optional<double> parse_chinese(std::string_view text) {
  ChineseSum sum;
  bool zero_seen = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (!sum.add(code)) return std::nullopt;
    if (code == U'零' || code == U'〇') zero_seen = true;
  }
  const double value = sum.value(zero_seen);
  return value <= kValueMax ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  if (text.empty() || text.size() > kBytesMax) return std::nullopt;
  if (text[0] < '0' || text[0] > '9') return parse_chinese(text);
  std::string digits;
  std::size_t at = 0;
  while (at < text.size() &&
         ((text[at] >= '0' && text[at] <= '9') || text[at] == ',' || text[at] == '.')) {
    if (text[at] != ',') digits.push_back(text[at]);
    ++at;
  }
  double value = std::strtod(digits.c_str(), nullptr);
  while (at < text.size()) {
    const char32_t code = next_code_point(text, at);
    const auto unit = find_in(kUnits, code == U'K' ? U'k' : code);
    if (!unit) return std::nullopt;
    value *= *unit;
  }
  return value <= kValueMax ? std::optional(value) : std::nullopt;
}

std::string money(double value) {
  std::array<char, 32> buffer{};
  const double cents = std::round(value * 100) / 100;
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.2f", cents);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

}  // namespace qiao::text
