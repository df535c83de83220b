// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "cli/interrupts.h"

namespace qiao::cli {

// Lines of a descriptor (the standard input), with the end of waiting at a signal. A line longer
// than kLineBytesMax is given in pieces. One thread at a time.
class LineReader {
 public:
  static constexpr std::size_t kLineBytesMax = 1 << 20;

  LineReader(int fd, const Interrupts& interrupts) : fd_(fd), interrupts_(interrupts) {}

  // The next line without its end; nothing at the end of the input or when a signal came.
  std::optional<std::string> next();
  // A line that is already there; never waits.
  std::optional<std::string> waiting();
  // Whether the input is known to have ended; never waits.
  bool ended();

 private:
  std::optional<std::string> take_line();
  // Waits for bytes at most `timeout_ms` (negative: for ever). False: none came.
  bool fill(int timeout_ms);

  int fd_;
  const Interrupts& interrupts_;
  std::string buffer_;
  bool at_end_ = false;
};

}  // namespace qiao::cli
