// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao {

// A table found in a text. Every row has as many cells as there are columns.
struct Table {
  static constexpr std::size_t kRowsMax = 10'000;
  static constexpr std::size_t kColumnsMax = 32;

  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::size_t skipped = 0;       // rows whose number of cells differs
  std::size_t skipped_line = 0;  // the first of them: a line of the text, from 1
};

// Finds the CSV in `text` (commas, tabs, semicolons or full-width commas; quoted cells): the
// longest run of lines with two or more cells; a line of one cell below its first row is in it when
// the next line has as many cells as the line before. Errors (invalid_argument): no table, no row
// under the header, past a bound. Linear.
Result<Table> parse_table(std::string_view text);

// A number as written: "1,200", "12.5%", "¥99", "7.4万", "３０"; nothing when it is none.
std::optional<double> parse_number(std::string_view text);
// Shortest form with at most two decimals: 74200, 12.5.
std::string number_text(double value);

}  // namespace qiao
