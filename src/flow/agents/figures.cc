// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/figures.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/i18n.h"
#include "text/normalise.h"

namespace qiao {
namespace {

constexpr std::size_t kGroupsMax = 20;  // distinct values of a column that is worth grouping by
constexpr std::size_t kGroupsShown = 8;
constexpr std::size_t kPeriodsShown = 24;
constexpr std::size_t kLabelCells = 3;

// Dates and months sort as text once written alike: 2026-01, 2026/1/5, 2026年1月, Q1, 1月.
bool looks_like_period(std::string_view cell) {
  const bool digits =
      std::any_of(cell.begin(), cell.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool marks = cell.find_first_of("-/") != cell.npos || cell.find("年") != cell.npos ||
                     cell.find("月") != cell.npos || cell.starts_with("Q") ||
                     (cell.size() == 4 && (cell.starts_with("19") || cell.starts_with("20")));
  return digits && marks && cell.size() <= 32;
}

bool column_is(const Table& table, std::size_t column, bool (*test)(std::string_view)) {
  return std::all_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return row[column].empty() || test(row[column]); });
}

// A column of numbers may hold a few cells that are none; one of years or months, numbers too, is a
// column of labels.
bool holds_numbers(const Table& table, std::size_t column) {
  std::size_t numbers = 0;
  std::size_t others = 0;
  bool periods = true;
  for (const auto& row : table.rows) {
    const std::string& cell = row[column];
    if (cell.empty()) continue;
    const bool number = parse_number(cell).has_value();
    ++(number ? numbers : others);
    if (number && !looks_like_period(cell)) periods = false;
  }
  return numbers > 0 && !periods && numbers >= 2 * others;
}

std::string label_of(const Table& table, const std::vector<std::string>& row,
                     const std::set<std::size_t>& labels) {
  std::string label;
  std::size_t count = 0;
  for (const std::size_t column : labels) {
    if (count++ == kLabelCells || column >= table.columns.size()) break;
    label += (label.empty() ? "" : " ") + row[column];
  }
  return label;
}

std::vector<ColumnFigures::Point> sums_by(const Table& table, std::size_t by, std::size_t column) {
  std::vector<ColumnFigures::Point> sums;  // in order of appearance
  for (const auto& row : table.rows) {
    const auto value = parse_number(row[column]);
    if (!value) continue;
    const auto found = std::find_if(sums.begin(), sums.end(),
                                    [&](const auto& point) { return point.label == row[by]; });
    if (found != sums.end()) {
      found->value += *value;
    } else if (sums.size() <= kGroupsMax * 20) {
      sums.push_back({row[by], *value});
    }
  }
  return sums;
}

ColumnFigures figures_of(const Table& table, std::size_t column,
                         const std::set<std::size_t>& labels, std::optional<std::size_t> period) {
  ColumnFigures figures;
  figures.name = table.columns[column];
  for (const auto& row : table.rows) {
    const auto value = parse_number(row[column]);
    if (!value) {
      if (!row[column].empty() && figures.left_out++ == 0) figures.first_left_out = row[column];
      continue;
    }
    const ColumnFigures::Point point{label_of(table, row, labels), *value};
    if (figures.count == 0 || *value < figures.min.value) figures.min = point;
    if (figures.count == 0 || *value > figures.max.value) figures.max = point;
    figures.sum += *value;
    ++figures.count;
  }
  if (figures.count > 0) figures.mean = figures.sum / static_cast<double>(figures.count);
  for (const std::size_t by : labels) {
    if (by == period) continue;
    auto sums = sums_by(table, by, column);
    if (sums.size() < 2 || sums.size() > kGroupsMax || sums.size() == table.rows.size()) continue;
    std::stable_sort(sums.begin(), sums.end(),
                     [](const auto& a, const auto& b) { return a.value > b.value; });
    figures.groups.emplace_back(table.columns[by], std::move(sums));
  }
  if (period) {
    figures.periods = sums_by(table, *period, column);
    const bool iso = std::all_of(
        figures.periods.begin(), figures.periods.end(),
        [&](const auto& p) { return p.label.size() == figures.periods.front().label.size(); });
    if (iso) {
      std::stable_sort(figures.periods.begin(), figures.periods.end(),
                       [](const auto& a, const auto& b) { return a.label < b.label; });
    }
  }
  return figures;
}

double change_percent(double from, double to) {
  return from == 0 ? 0 : 100 * (to - from) / from;
}

void add(std::set<double>& known, double value) {
  known.insert(value);
  known.insert(std::abs(value));
}

void add_figures(std::set<double>& known, const ColumnFigures& column) {
  for (const double value : {column.sum, column.mean, column.min.value, column.max.value,
                             static_cast<double>(column.count)}) {
    add(known, value);
  }
  add(known, column.max.value - column.min.value);
  for (const auto& [by, points] : column.groups) {
    known.insert(static_cast<double>(points.size()));
    for (const auto& point : points) {
      add(known, point.value);
      if (column.sum != 0) add(known, 100 * point.value / column.sum);
    }
  }
  known.insert(static_cast<double>(column.periods.size()));
  for (std::size_t i = 0; i < column.periods.size(); ++i) {
    add(known, column.periods[i].value);
    if (column.sum != 0) add(known, 100 * column.periods[i].value / column.sum);
    for (const std::size_t from : {std::size_t{0}, i > 0 ? i - 1 : i}) {
      add(known, column.periods[i].value - column.periods[from].value);
      add(known, change_percent(column.periods[from].value, column.periods[i].value));
    }
  }
}

// One number in a text: digits with separators, an optional sign, decimals, 万 or 亿.
struct Found {
  std::string text;
  double value = 0;
  int decimals = 0;
  double unit = 1;
};

std::vector<Found> numbers_in(std::string_view original) {
  const std::string text = half_width(original).text;
  const auto digit = [&](std::size_t i) {
    return i < text.size() && text[i] >= '0' && text[i] <= '9';
  };
  std::vector<Found> found;
  for (std::size_t i = 0; i < text.size();) {
    if (!digit(i)) {
      ++i;
      continue;
    }
    Found number;
    const std::size_t begin = i;
    bool fraction = false;
    std::string plain;
    for (; i < text.size(); ++i) {
      const bool group =
          text[i] == ',' && digit(i + 1) && digit(i + 2) && digit(i + 3) && !fraction;
      if (digit(i)) {
        plain += text[i];
        number.decimals += fraction ? 1 : 0;
      } else if (text[i] == '.' && digit(i + 1) && !fraction) {
        fraction = true;
        plain += '.';
      } else if (!group) {
        break;
      }
    }
    std::from_chars(plain.data(), plain.data() + plain.size(), number.value);
    const std::size_t unit_at = i < text.size() && text[i] == ' ' ? i + 1 : i;
    if (text.compare(unit_at, 3, "万") == 0) number.unit = 1e4;
    if (text.compare(unit_at, 3, "亿") == 0) number.unit = 1e8;
    number.value *= number.unit;
    number.text = text.substr(begin, i - begin);
    found.push_back(std::move(number));
  }
  return found;
}

bool is_known(const Found& number, const std::set<double>& known) {
  const double step = std::pow(10.0, -number.decimals) * number.unit;
  const double tolerance = step / 2 * (1 + 1e-9) + 1e-9;
  const auto next = known.lower_bound(number.value - tolerance);
  if (next == known.end()) return false;
  // A whole number must be meant exactly unless what it stands for has decimals.
  return *next <= number.value + tolerance;
}

}  // namespace

TableFigures compute_figures(const Table& table) {
  TableFigures figures;
  figures.rows = table.rows.size();
  figures.rows_left_out = table.skipped;
  figures.first_line_left_out = table.skipped_line;
  std::set<std::size_t> labels;
  std::optional<std::size_t> period;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const bool times = column_is(table, i, looks_like_period);
    if (times && !period) period = i;
    if (times || !holds_numbers(table, i)) labels.insert(i);
  }
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (labels.contains(i)) continue;
    ColumnFigures column = figures_of(table, i, labels, period);
    if (column.count > 0) figures.columns.push_back(std::move(column));
  }
  return figures;
}

std::optional<std::string> unknown_number(std::string_view words, const Table& table,
                                          const TableFigures& figures, std::string_view request) {
  std::set<double> known{
      static_cast<double>(figures.rows), static_cast<double>(table.columns.size()),
      static_cast<double>(figures.columns.size()), static_cast<double>(figures.rows_left_out),
      static_cast<double>(figures.first_line_left_out)};
  for (const Found& number : numbers_in(request)) known.insert(number.value);
  for (const auto& row : table.rows) {
    for (const std::string& cell : row) {
      if (const auto value = parse_number(cell)) add(known, *value);
    }
  }
  for (const ColumnFigures& column : figures.columns) {
    add_figures(known, column);
    known.insert(static_cast<double>(column.left_out));
    for (const Found& number : numbers_in(column.name + " " + column.first_left_out))
      known.insert(number.value);
  }
  for (const Found& number : numbers_in(words)) {
    if (!is_known(number, known)) return number.text;
  }
  return std::nullopt;
}

namespace {

std::string join_points(const std::vector<ColumnFigures::Point>& points, std::size_t shown,
                        Language language) {
  const bool chinese = language == Language::kChinese;
  std::string text;
  for (std::size_t i = 0; i < std::min(points.size(), shown); ++i) {
    if (i > 0) text += chinese ? "，" : ", ";
    text += points[i].label + " " + number_text(points[i].value);
  }
  if (points.size() > shown) text += "…";
  return text;
}

Text trend_of(const std::vector<ColumnFigures::Point>& periods) {
  bool up = true;
  bool down = true;
  for (std::size_t i = 1; i < periods.size(); ++i) {
    up = up && periods[i].value >= periods[i - 1].value;
    down = down && periods[i].value <= periods[i - 1].value;
  }
  if (up && down) return Text::kTableFlat;
  return up ? Text::kTableUp : down ? Text::kTableDown : Text::kTableMixed;
}

std::string describe(const ColumnFigures& column, Language language) {
  std::string text = tr(language, Text::kTableColumn,
                        {column.name, number_text(column.sum), number_text(column.mean),
                         number_text(column.min.value), column.min.label,
                         number_text(column.max.value), column.max.label});
  for (const auto& [by, points] : column.groups) {
    text += "\n" + tr(language, Text::kTableGroups,
                      {column.name, by, join_points(points, kGroupsShown, language)});
  }
  if (column.periods.size() > 1) {
    const double from = column.periods.front().value;
    const double to = column.periods.back().value;
    text += "\n" + tr(language, Text::kTablePeriods,
                      {column.name, join_points(column.periods, kPeriodsShown, language)});
    text += "\n" + tr(language, trend_of(column.periods),
                      {column.name, column.periods.front().label, column.periods.back().label,
                       number_text(to - from), number_text(change_percent(from, to))});
  }
  return text;
}

}  // namespace

std::string describe(const TableFigures& figures, Language language) {
  std::string text = tr(language, Text::kTableRows, {std::to_string(figures.rows)});
  for (const ColumnFigures& column : figures.columns) text += "\n" + describe(column, language);
  return text;
}

std::string describe_left_out(const TableFigures& figures, Language language) {
  std::string text;
  const auto add = [&](const std::string& line) { text += (text.empty() ? "" : "\n") + line; };
  if (figures.rows_left_out > 0) {
    add(tr(language, Text::kTableSkipped,
           {std::to_string(figures.rows_left_out), std::to_string(figures.first_line_left_out)}));
  }
  for (const ColumnFigures& column : figures.columns) {
    if (column.left_out == 0) continue;
    add(tr(language, Text::kTableNotNumbers,
           {column.name, std::to_string(column.left_out), column.first_left_out}));
  }
  return text;
}

}  // namespace qiao
