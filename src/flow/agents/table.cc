// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include "text/normalise.h"

namespace qiao {
namespace {

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

// A row that lost its separators stands in the table, not between two.
bool is_broken_row(const std::vector<std::string_view>& lines, std::size_t i,
                   std::string_view separator) {
  if (i == 0 || i + 1 >= lines.size() || lines[i].empty()) return false;
  const std::size_t before = cells_of(lines[i - 1], separator).size();
  return before > 1 && cells_of(lines[i + 1], separator).size() == before;
}

// The longest run of lines that `separator` splits; its first line says into how many cells.
Block longest_block(const std::vector<std::string_view>& lines, std::string_view separator) {
  Block best{0, 0, separator};
  Block run = best;
  for (std::size_t i = 0; i <= lines.size(); ++i) {
    const bool inside =
        i < lines.size() && (cells_of(lines[i], separator).size() > 1 ||
                             (run.size() > 1 && is_broken_row(lines, i, separator)));
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
      if (table.skipped++ == 0) table.skipped_line = i + 1;
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

}  // namespace qiao
