// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace qiao::cli {

enum class Style { kPlain, kBold, kDim, kGood, kWarn, kBad };

// One of the program's two outputs. Each call is written at once and whole; thread-safe.
class Output {
 public:
  Output(std::FILE* file, bool is_terminal, bool colours)
      : file_(file), is_terminal_(is_terminal), colours_(colours) {}

  void line(std::string_view text);
  void write(std::string_view text);  // without a line's end
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  // `text` in that style, or as it is where colours are off.
  [[nodiscard]] std::string paint(Style style, std::string_view text) const;
  // Columns; 80 where there is no terminal to ask.
  [[nodiscard]] std::size_t columns() const;

 private:
  std::mutex mutex_;
  std::FILE* file_;
  bool is_terminal_;
  bool colours_;
};

// What the program writes to: results on `out`, messages and progress on `err`. Colours are off
// in a pipe, under NO_COLOR (no-color.org) and on a dumb terminal.
struct Terminal {
  Terminal();

  Output out;
  Output err;
  bool input_is_terminal;
};

}  // namespace qiao::cli
