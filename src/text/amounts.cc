// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include "text/entity_rules.h"
#include "text/numerals.h"

namespace qiao::text {
namespace {

struct Currency {
  std::string_view word;  // in lower case
  std::string_view code;
};
constexpr std::array<Currency, 27> kCurrencies = {
    {{"¥", "CNY"},      {"￥", "CNY"},      {"rmb", "CNY"},   {"cny", "CNY"},    {"元", "CNY"},
     {"块钱", "CNY"},   {"块", "CNY"},      {"圆", "CNY"},    {"人民币", "CNY"}, {"yuan", "CNY"},
     {"us$", "USD"},    {"$", "USD"},       {"usd", "USD"},   {"美元", "USD"},   {"美金", "USD"},
     {"dollar", "USD"}, {"dollars", "USD"}, {"bucks", "USD"}, {"hk$", "HKD"},    {"港币", "HKD"},
     {"港元", "HKD"},   {"€", "EUR"},       {"欧元", "EUR"},  {"euro", "EUR"},   {"euros", "EUR"},
     {"£", "GBP"},      {"英镑", "GBP"}}};

std::string_view code_of(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (is_letter(c)) c = static_cast<char>(c | 0x20);
  }
  for (const Currency& currency : kCurrencies) {
    if (currency.word == lower) return currency.code;
  }
  return "";
}

// 元旦, 元素: the unit's character begins another word.
bool begins_another_word(std::string_view after_unit) {
  for (const std::string_view word : {"旦", "素", "件", "宝", "首", "老"})
    if (after_unit.starts_with(word)) return true;
  return false;
}

// 两块 and 3块 are money only where no thing is counted (三块蛋糕): before the end, a mark, a
// number or a particle.
bool counts_a_thing(std::string_view after_unit) {
  static const re2::RE2 kFree(R"(^\s*(?:$|[[:punct:]\d，。！？；、…～吧吗呢了的以左上多啊呀]))");
  return !re2::RE2::PartialMatch({after_unit.data(), after_unit.size()}, kFree);
}

// The 五 of 十五块五 and the 5 of 3块5: tenths.
std::string_view tenths(std::string_view after_unit) {
  static const re2::RE2 kTenth(R"(^([1-9]|[一二三四五六七八九])(?:毛钱?|角)?(?:[^\d.个百千]|$))");
  re2::StringPiece digit;
  if (!re2::RE2::PartialMatch({after_unit.data(), after_unit.size()}, kTenth, &digit)) return "";
  return {digit.data(), digit.size()};
}

std::string without_blanks(std::string_view text) {
  std::string out;
  std::copy_if(text.begin(), text.end(), std::back_inserter(out), [](char c) { return c != ' '; });
  return out;
}

// A number and the currency after it.
void add_with_unit(std::string_view text, const Match& match, int rank,
                   std::vector<Candidate>& candidates) {
  const std::string_view unit = match.groups[2];
  const std::string_view after = text.substr(match.end);
  auto value = parse_number(without_blanks(match.groups[1]));
  const std::string_view tenth = unit == "块" ? tenths(after) : "";
  if (!value || (unit == "元" && begins_another_word(after))) return;
  if (unit == "块" && tenth.empty() && counts_a_thing(after)) return;
  if (!tenth.empty()) *value += parse_number(tenth).value_or(0) / 10;
  candidates.push_back({rank, "amount", money(*value) + " " + std::string(code_of(unit)),
                        match.begin, match.end + tenth.size()});
}

#define QIAO_NUMBER R"((?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,4})?)"
#define QIAO_NUMERAL "[零〇一二两三四五六七八九十百千万亿]{1,16}"
#define QIAO_CHINESE_UNIT "元|块钱|块|圆|人民币|美元|美金|欧元|英镑|港币|港元"

}  // namespace

void find_amounts(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kSignFirst(
      R"((?i)(¥|￥|\brmb|\bcny|\bus\$|\bhk\$|\$|\busd|€|£) ?()" QIAO_NUMBER
      R"((?:[万千亿]|k\b)?))");
  static const re2::RE2 kUnitAfter("(?i)(" QIAO_NUMBER " ?[万千百亿]?) ?(" QIAO_CHINESE_UNIT
                                   R"(|rmb\b|cny\b|usd\b|dollars?\b|bucks\b|yuan\b|euros?\b))");
  static const re2::RE2 kNumeral("(" QIAO_NUMERAL ")(" QIAO_CHINESE_UNIT ")");
  each_match(kSignFirst, text, [&](const Match& match) {
    if (const auto value = parse_number(match.groups[2])) {
      candidates.push_back({rank, "amount",
                            money(*value) + " " + std::string(code_of(match.groups[1])),
                            match.begin, match.end});
    }
  });
  for (const re2::RE2* pattern : {&kUnitAfter, &kNumeral}) {
    each_match(*pattern, text,
               [&](const Match& match) { add_with_unit(text, match, rank, candidates); });
  }
}

}  // namespace qiao::text
