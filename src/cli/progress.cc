// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <algorithm>
#include <cstdio>

#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr std::size_t kBarColumns = 24;
constexpr double kSpeedAfterS = 1.0;  // an earlier guess of the speed jumps about

std::string formatted(const char* format, double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const bool whole = unit == 0 || value >= 99.95;
  return formatted(whole ? "%.0f" : "%.1f", value) + " " + kUnits[unit];
}

std::string human_seconds(double seconds) {
  const auto whole = static_cast<long>(std::clamp(seconds, 0.0, 359'999.0) + 0.5);
  const auto two = [](long value) { return (value < 10 ? "0" : "") + std::to_string(value); };
  if (whole < 3600) return std::to_string(whole / 60) + ":" + two(whole % 60);
  return std::to_string(whole / 3600) + ":" + two(whole / 60 % 60) + ":" + two(whole % 60);
}

std::string progress_line(const std::string& step, std::uint64_t done, std::uint64_t total,
                          double per_second) {
  std::string line = pad_right(step, 8) + " ";
  if (total == 0) {
    line += human_bytes(done);
  } else {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const auto full = static_cast<std::size_t>(share * kBarColumns);
    line += "[" + std::string(full, '#') + std::string(kBarColumns - full, '-') + "] ";
    line += pad_left(std::to_string(static_cast<int>(share * 100)) + "%", 4);
    line += "  " + human_bytes(done) + " / " + human_bytes(total);
  }
  if (per_second <= 0) return line;
  line += "  " + human_bytes(static_cast<std::uint64_t>(per_second)) + "/s";
  if (total > done) line += "  " + human_seconds(static_cast<double>(total - done) / per_second);
  return line;
}

void Progress::begin(const std::string& step, std::uint64_t done) {
  if (drawn_) output_.write("\n");
  drawn_ = false;
  step_ = step;
  first_ = done;
  begin_us_ = clock_.steady_us();
  if (!output_.is_terminal()) output_.line(step);
}

void Progress::show(const std::string& step, std::uint64_t done, std::uint64_t total) {
  if (step != step_) begin(step, done);
  if (!output_.is_terminal()) return;
  const double seconds = static_cast<double>(clock_.steady_us() - begin_us_) / 1e6;
  const double per_second =
      seconds < kSpeedAfterS || done < first_ ? 0 : static_cast<double>(done - first_) / seconds;
  const std::string line = progress_line(step, done, total, per_second);
  output_.write("\r\x1b[K" + cut_to_width(line, output_.columns() - 1));
  drawn_ = true;
}

Progress::~Progress() {
  if (drawn_) output_.write("\n");
}

}  // namespace qiao::cli
