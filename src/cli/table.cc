// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <algorithm>

#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLastColumnMin = 12;

}  // namespace

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  return widths;
}

std::string Table::text(const Output& output) const {
  const std::vector<std::size_t> width = widths();
  std::size_t before_last = 0;
  for (std::size_t i = 0; i + 1 < width.size(); ++i) before_last += width[i] + kGap;
  const std::size_t columns = output.columns();
  const std::size_t last_max =
      output.is_terminal()
          ? std::max(columns > before_last ? columns - before_last : 0, kLastColumnMin)
          : std::string::npos;

  std::string out;
  const auto add_line = [&](const std::vector<Cell>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      const std::string cell = last ? cut_to_width(row[i].text, last_max) : row[i].text;
      const bool right = columns_[i].align == Align::kRight;
      const std::string padded =
          right ? pad_left(cell, width[i]) : (last ? cell : pad_right(cell, width[i]));
      out += output.paint(row[i].style, padded) + (last ? "" : std::string(kGap, ' '));
    }
    out.erase(out.find_last_not_of(' ') + 1);  // of empty last cells
    out += '\n';
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title, Style::kBold);
  const bool titled = std::any_of(columns_.begin(), columns_.end(),
                                  [](const Column& column) { return !column.title.empty(); });
  if (titled) add_line(titles);
  for (const auto& row : rows_) add_line(row);
  return out;
}

}  // namespace qiao::cli
