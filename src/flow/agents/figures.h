// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/language.h"
#include "flow/agents/table.h"

namespace qiao {

// What people ask of one column of numbers.
struct ColumnFigures {
  struct Point {
    std::string label;
    double value = 0;
  };

  std::string name;
  std::size_t count = 0;
  std::size_t left_out = 0;    // cells that are neither empty nor numbers
  std::string first_left_out;  // the first of them
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
  std::size_t rows_left_out = 0;
  std::size_t first_line_left_out = 0;
  std::vector<ColumnFigures> columns;  // of numbers: two cells in three at least are
};

// Computes everything by code. Pure.
TableFigures compute_figures(const Table& table);

// The figures as lines for people and models, without what was left out of them.
std::string describe(const TableFigures& figures, Language language);
// What was left out of them, as lines; "" when nothing was.
std::string describe_left_out(const TableFigures& figures, Language language);

// The first number in `words` that is neither in the table nor among its figures (rounded as
// written); nothing when all are. Numbers the user wrote in `request` count as known.
std::optional<std::string> unknown_number(std::string_view words, const Table& table,
                                          const TableFigures& figures, std::string_view request);

}  // namespace qiao
