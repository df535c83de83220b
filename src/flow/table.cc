// SPDX-License-Identifier: Apache-2.0
#include "flow/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "text/normalise.h"

namespace qiao {
namespace {

constexpr std::size_t kGroupsMax = 20;  // distinct values of a column that is worth grouping by
constexpr std::size_t kGroupsShown = 8;
constexpr std::size_t kPeriodsShown = 24;
constexpr std::size_t kLabelCells = 3;

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// The cells of one line; a quoted cell may hold the separator and doubled quotes.
std::vector<std::string> cells_of(std::string_view line, std::string_view separator) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size();) {
    if (line[i] == '"' && quoted && line.substr(i + 1, 1) == "\"") {
      cells.back() += '"';
      i += 2;
    } else if (line[i] == '"') {
      quoted = !quoted;
      ++i;
    } else if (!quoted && line.substr(i, separator.size()) == separator) {
      cells.emplace_back();
      i += separator.size();
    } else {
      cells.back() += line[i++];
    }
  }
  for (std::string& cell : cells) cell = std::string(trim(cell));
  return cells;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(trim(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

struct Block {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view separator;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

// The longest run of lines that `separator` splits; its first line says into how many cells.
Block longest_block(const std::vector<std::string_view>& lines, std::string_view separator) {
  Block best{0, 0, separator};
  Block run = best;
  for (std::size_t i = 0; i <= lines.size(); ++i) {
    const bool inside = i < lines.size() && cells_of(lines[i], separator).size() > 1;
    if (inside) {
      run.end = i + 1;
      continue;
    }
    if (run.size() > best.size()) best = run;
    run.begin = run.end = i + 1;
  }
  return best;
}

// Leaves out what stands above the header: lines with another number of cells than most have.
void skip_preface(const std::vector<std::string_view>& lines, Block& block) {
  std::map<std::size_t, std::size_t> counts;
  std::vector<std::size_t> cells;
  for (std::size_t i = block.begin; i < block.end; ++i) {
    cells.push_back(cells_of(lines[i], block.separator).size());
    ++counts[cells.back()];
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  for (std::size_t i = 0; i < cells.size() && cells[i] != most->first; ++i) ++block.begin;
}

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

bool is_number(std::string_view cell) {
  return parse_number(cell).has_value();
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
    if (!value) continue;
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
    if (text.compare(i, 3, "万") == 0) number.unit = 1e4;
    if (text.compare(i, 3, "亿") == 0) number.unit = 1e8;
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

std::optional<double> parse_number(std::string_view original) {
  const std::string text = half_width(original).text;
  std::string plain;
  double unit = 1;
  std::string_view rest = trim(text);
  bool negative = false;
  for (const std::string_view sign : {"-", "+", "¥", "$", "€", "£", "￥"}) {
    if (rest.starts_with(sign)) {
      negative = negative || sign == "-";
      rest = trim(rest.substr(sign.size()));
    }
  }
  for (const auto& [suffix, factor] : std::initializer_list<std::pair<std::string_view, double>>{
           {"%", 1}, {"元", 1}, {"万", 1e4}, {"亿", 1e8}}) {
    if (rest.ends_with(suffix)) {
      unit *= factor;
      rest = trim(rest.substr(0, rest.size() - suffix.size()));
    }
  }
  for (const char c : rest) {
    if (c != ',') plain += c;
  }
  double value = 0;
  const auto [end, error] =
      std::from_chars(plain.data(), plain.data() + plain.size(), value, std::chars_format::fixed);
  if (plain.empty() || error != std::errc{} || end != plain.data() + plain.size()) return {};
  if (!std::isfinite(value)) return {};
  return (negative ? -value : value) * unit;
}

std::string number_text(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.2f", value);
  std::string out = text;
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

Result<Table> parse_table(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  Block best;
  for (const std::string_view separator : {",", "\t", ";", "，"}) {
    const Block block = longest_block(lines, separator);
    if (block.size() > best.size()) best = block;
  }
  if (best.size() < 2) {
    return invalid_argument("no table was found: send a header line and rows as CSV");
  }
  skip_preface(lines, best);
  Table table;
  table.columns = cells_of(lines[best.begin], best.separator);
  if (table.columns.size() > Table::kColumnsMax) {
    return invalid_argument("the table has more than " + std::to_string(Table::kColumnsMax) +
                            " columns");
  }
  for (std::size_t i = best.begin + 1; i < best.end; ++i) {
    std::vector<std::string> cells = cells_of(lines[i], best.separator);
    if (cells.size() != table.columns.size()) {
      ++table.skipped;
    } else if (table.rows.size() == Table::kRowsMax) {
      return invalid_argument("the table has more than " + std::to_string(Table::kRowsMax) +
                              " rows");
    } else {
      table.rows.push_back(std::move(cells));
    }
  }
  if (table.rows.empty()) return invalid_argument("no row has as many cells as the header line");
  return table;
}

TableFigures compute_figures(const Table& table) {
  TableFigures figures;
  figures.rows = table.rows.size();
  std::set<std::size_t> labels;
  std::optional<std::size_t> period;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const bool times = column_is(table, i, looks_like_period);
    if (times && !period) period = i;
    if (times || !column_is(table, i, is_number)) labels.insert(i);
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
  std::set<double> known{static_cast<double>(figures.rows),
                         static_cast<double>(table.columns.size()),
                         static_cast<double>(figures.columns.size())};
  for (const Found& number : numbers_in(request)) known.insert(number.value);
  for (const auto& row : table.rows) {
    for (const std::string& cell : row) {
      if (const auto value = parse_number(cell)) add(known, *value);
    }
  }
  for (const ColumnFigures& column : figures.columns) add_figures(known, column);
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

}  // namespace qiao
