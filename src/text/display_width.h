// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace qiao {

// Columns that `text` takes on a terminal: East Asian wide characters and emoji take two, marks
// that join the character before them none (Unicode Standard Annex 11).
std::size_t display_width(std::string_view text);

// Columns of the terminal behind a file descriptor; of what is none, or does not tell, 80.
std::size_t terminal_columns(int descriptor);

// Whether what is written there may have colours: a terminal that has some, and no NO_COLOR
// (no-color.org).
bool colours_wanted(int descriptor);

// `text` followed (or led) by spaces up to `width` columns; longer text stays as it is.
std::string pad_right(std::string_view text, std::size_t width);
std::string pad_left(std::string_view text, std::size_t width);

// At most `width` columns of `text`, with "…" where it was cut.
std::string cut_to_width(std::string_view text, std::size_t width);

// One line: line feeds and tabs become spaces, control characters (a message may hold escape
// sequences that would command the terminal) become "·".
std::string one_line(std::string_view text);
// The same, but lines stay.
std::string printable(std::string_view text);

}  // namespace qiao
