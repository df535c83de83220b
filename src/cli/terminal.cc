// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <unistd.h>

#include "text/display_width.h"

namespace qiao::cli {
namespace {

// Select Graphic Rendition parameters (ECMA-48, 8.3.117).
std::string_view code_of(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "1";
    case Style::kDim:
      return "2";
    case Style::kGood:
      return "32";
    case Style::kWarn:
      return "33";
    case Style::kBad:
      return "31";
  }
  return "";
}

}  // namespace

void Output::line(std::string_view text) {
  write(std::string(text) + '\n');
}

void Output::write(std::string_view text) {
  const std::lock_guard lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fflush(file_);
}

std::string Output::paint(Style style, std::string_view text) const {
  if (!colours_ || style == Style::kPlain || text.empty()) return std::string(text);
  return "\x1b[" + std::string(code_of(style)) + "m" + std::string(text) + "\x1b[0m";
}

std::size_t Output::columns() const {
  return terminal_columns(::fileno(file_));
}

Terminal::Terminal()
    : out(stdout, ::isatty(STDOUT_FILENO) == 1, colours_wanted(STDOUT_FILENO)),
      err(stderr, ::isatty(STDERR_FILENO) == 1, colours_wanted(STDERR_FILENO)),
      input_is_terminal(::isatty(STDIN_FILENO) == 1) {}

}  // namespace qiao::cli
