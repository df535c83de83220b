// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "cli/terminal.h"

namespace qiao::cli {

// A bar with share, speed and time left on one line of the standard error, rewritten in place.
// Without a terminal it says one line for each step. One thread at a time.
class Progress {
 public:
  Progress(Output& output, const Clock& clock) : output_(output), clock_(clock) {}
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total` 0: not known.
  void show(const std::string& step, std::uint64_t done, std::uint64_t total);

 private:
  void begin(const std::string& step, std::uint64_t done);

  Output& output_;
  const Clock& clock_;
  std::string step_;
  std::uint64_t first_ = 0;  // done when the step began: resumed bytes do not count as speed
  std::int64_t begin_us_ = 0;
  bool drawn_ = false;
};

// The line of a progress bar, without colours: "fetch  [####----]  50%  12 MB/s  0:10 left".
std::string progress_line(const std::string& step, std::uint64_t done, std::uint64_t total,
                          double per_second);

// "512 B", "1.2 kB", "986 MB", "1.1 GB".
std::string human_bytes(std::uint64_t bytes);
// "0:09", "12:40", "1:02:03".
std::string human_seconds(double seconds);

}  // namespace qiao::cli
