// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include "text/entity_rules.h"
#include "text/numerals.h"

namespace qiao::text {
namespace {

constexpr int kUnknown = -1;
constexpr std::array<int, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

int to_int(std::string_view number) {
  const auto value = number.empty() ? std::nullopt : parse_number(number);
  return value && *value < 10'000 ? static_cast<int>(*value) : kUnknown;
}

// ISO 8601 with what is known: 2026-01-05, 2026-01, --01-05. Nothing when no such day exists.
std::optional<std::string> iso(int year, int month, int day) {
  if (month < 1 || month > 12) return std::nullopt;
  if (day != kUnknown && (day < 1 || day > kDays[static_cast<std::size_t>(month - 1)]))
    return std::nullopt;
  if (year != kUnknown && (year < 1900 || year > 2199)) return std::nullopt;
  std::array<char, 16> buffer{};
  int size = 0;
  if (year == kUnknown) {
    size = std::snprintf(buffer.data(), buffer.size(), "--%02d-%02d", month, day);
  } else if (day == kUnknown) {
    size = std::snprintf(buffer.data(), buffer.size(), "%04d-%02d", year, month);
  } else {
    size = std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02d", year, month, day);
  }
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

int month_of(std::string_view name) {
  constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                        "jul", "aug", "sep", "oct", "nov", "dec"};
  std::string lower(name.substr(0, 3));
  for (char& c : lower) c = static_cast<char>(c | 0x20);
  for (std::size_t i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == lower) return static_cast<int>(i) + 1;
  }
  return kUnknown;
}

// Adds every match of `pattern` whose `value` is something.
template <class Value>
void add(const re2::RE2& pattern, std::string_view text, int rank,
         std::vector<Candidate>& candidates, Value value) {
  each_match(pattern, text, [&](const Match& match) {
    if (std::optional<std::string> found = value(match))
      candidates.push_back({rank, "date", *std::move(found), match.begin, match.end});
  });
}

std::optional<std::string> as_written(const Match& match) {
  std::string lower(match.groups[0]);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return lower;
}

void find_absolute(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kIso(R"(\b(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})\b)");
  static const re2::RE2 kYearMonth(
      R"(([12]\d{3}|[零〇一二三四五六七八九]{4})年(\d{1,2}|[一二三四五六七八九十]{1,2})月(?:(\d{1,2}|[一二三四五六七八九十]{1,3})[日号]?)?)");
  static const re2::RE2 kMonthDay(
      R"((\d{1,2}|[一二三四五六七八九十]{1,2})月(\d{1,2}|[一二三四五六七八九十]{1,3})[日号])");
  static const re2::RE2 kSlashed(R"(\b(\d{1,2})/(\d{1,2})/(\d{4})\b)");
  const auto year_first = [](const Match& m) {
    return iso(to_int(m.groups[1]), to_int(m.groups[2]), to_int(m.groups[3]));
  };
  add(kIso, text, rank, candidates, year_first);
  add(kYearMonth, text, rank, candidates, year_first);
  add(kMonthDay, text, rank, candidates,
      [](const Match& m) { return iso(kUnknown, to_int(m.groups[1]), to_int(m.groups[2])); });
  add(kSlashed, text, rank, candidates, [](const Match& m) -> std::optional<std::string> {
    const int first = to_int(m.groups[1]);
    const int second = to_int(m.groups[2]);
    if (first > 12) return iso(to_int(m.groups[3]), second, first);  // day first
    if (second > 12) return iso(to_int(m.groups[3]), first, second);
    return as_written(m);  // 03/04/2026 is March in one country and April in another
  });
}

#define QIAO_MONTH                                                                               \
  "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)" \
  "?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
#define QIAO_WEEKDAY "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
#define QIAO_SPAN "(?:minute|hour|day|week|month|year)s?"
#define QIAO_COUNT \
  "(?:\\d{1,3}|an?|one|two|three|four|five|six|seven|ten|a few|a couple of|several)"

void find_english(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kMonthFirst(R"((?i)\b)" QIAO_MONTH
                                    R"(\.? (\d{1,2})(?:st|nd|rd|th)?\b(?:,? (\d{4})\b)?)");
  static const re2::RE2 kDayFirst(R"((?i)\b(\d{1,2})(?:st|nd|rd|th)?(?: of)? )" QIAO_MONTH
                                  R"(\b\.?(?:,? (\d{4})\b)?)");
  static const re2::RE2 kRelative(
      R"((?i)\b(?:(?:the )?day (?:before yesterday|after tomorrow)|yesterday|today|tonight|tomorrow|)"
      R"((?:last|next|this) (?:week|weekend|month|year|)" QIAO_WEEKDAY
      R"()|(?:on |by )?)" QIAO_WEEKDAY R"(|)" QIAO_COUNT " " QIAO_SPAN " ago|in " QIAO_COUNT
      " " QIAO_SPAN R"()\b)");
  add(kMonthFirst, text, rank, candidates, [](const Match& m) {
    return iso(to_int(m.groups[3]), month_of(m.groups[1]), to_int(m.groups[2]));
  });
  add(kDayFirst, text, rank, candidates, [](const Match& m) {
    return iso(to_int(m.groups[3]), month_of(m.groups[2]), to_int(m.groups[1]));
  });
  add(kRelative, text, rank, candidates, as_written);
}

void find_chinese(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  static const re2::RE2 kRelative(
      R"(大前天|大后天|前天|昨[天日晚]|今[天日晚早]|明[天日早晚]|后天|)"
      R"((?:上上|下下|上|下|本|这)个?(?:周|星期|礼拜)[一二三四五六日天末]?|周末|)"
      R"((?:周|星期|礼拜)[一二三四五六日天]|(?:上|下|本|这)个月|去年|今年|明年|月[初底]|年[初底]|)"
      R"((?:\d{1,3}|[一二两三四五六七八九十几半]{1,3})个?(?:天|日|周|星期|礼拜|月|小时|钟头|分钟|年)(?:以|之)?[前后])");
  // 5号 alone is a day of a month, unless it numbers a thing: 5号线, 3号楼.
  static const re2::RE2 kDay(R"((\d{1,2})[日号](?:$|[^线楼店门机码院馆仓柜球桌台厅窗\d]))");
  add(kRelative, text, rank, candidates, as_written);
  each_match(kDay, text, [&](const Match& match) {
    const int day = to_int(match.groups[1]);
    const bool part =
        match.begin > 0 && (is_digit(text[match.begin - 1]) || is_letter(text[match.begin - 1]) ||
                            text.substr(0, match.begin).ends_with("第") ||
                            text.substr(0, match.begin).ends_with("月"));
    if (part || day < 1 || day > 31) return;
    const std::size_t end = match.begin + match.groups[1].size() + std::string_view("号").size();
    candidates.push_back({rank, "date",
                          "---" + std::string(day < 10 ? "0" : "") + std::to_string(day),
                          match.begin, end});
  });
}

}  // namespace

void find_dates(std::string_view text, int rank, std::vector<Candidate>& candidates) {
  find_absolute(text, rank, candidates);
  find_english(text, rank, candidates);
  find_chinese(text, rank, candidates);
}

}  // namespace qiao::text
