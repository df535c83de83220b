// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/i18n.h"
#include "base/result.h"

namespace qiao {

// A table found in a text. Every row has as many cells as there are columns.
struct Table {
  static constexpr std::size_t kRowsMax = 10'000;
  static constexpr std::size_t kColumnsMax = 32;

  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::size_t skipped = 0;  // rows whose number of cells differs
};

// Finds the CSV in `text` (commas, tabs, semicolons or full-width commas; quoted cells): the
// longest run of lines with the same number of cells, two or more. Errors (invalid_argument): no
// table, no row under the header, past a bound. Linear.
Result<Table> parse_table(std::string_view text);

// What people ask of one column of numbers.
struct ColumnFigures {
  struct Point {
    std::string label;
    double value = 0;
  };

  std::string name;
  std::size_t count = 0;
  double sum = 0;
  double mean = 0;
  Point min;  // labelled by the row's other cells
  Point max;
  std::vector<std::pair<std::string, std::vector<Point>>>
      groups;                  // by column: sums, greatest first
  std::vector<Point> periods;  // sums in order of time, when there is a column of dates or months
};

struct TableFigures {
  std::size_t rows = 0;
  std::vector<ColumnFigures> columns;  // of numbers
};

// Computes everything by code. Pure.
TableFigures compute_figures(const Table& table);

// The figures as lines for people and models.
std::string describe(const TableFigures& figures, Language language);

// A number as written: "1,200", "12.5%", "¥99", "7.4万", "３０"; nothing when it is none.
std::optional<double> parse_number(std::string_view text);
// Shortest form with at most two decimals: 74200, 12.5.
std::string number_text(double value);

// The first number in `words` that is neither in the table nor among its figures (rounded as
// written); nothing when all are. Numbers the user wrote in `request` count as known.
std::optional<std::string> unknown_number(std::string_view words, const Table& table,
                                          const TableFigures& figures, std::string_view request);

}  // namespace qiao
