// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/language.h"

namespace qiao::learn {

// Tells a person on standard error how far the work is: on a terminal one line that is drawn
// again and again (bar, share, loss, tokens per second, time left); elsewhere only the lines of
// note(). One thread at a time.
class Progress {
 public:
  Progress(Language language, bool terminal);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A stage of `total` steps, of which `done` are behind us already.
  void begin(std::string_view what, std::int64_t total, std::int64_t done = 0);
  void step(std::int64_t done, double loss, std::int64_t tokens);
  // The same for work without a loss: `told` of the seconds that are left stands behind the bar.
  using Told = std::function<std::string(double seconds_left)>;
  void step(std::int64_t done, const Told& told);
  // The same where only the share done is known (0 to 1). Requires: begin() with a total of 100.
  void share(double done);
  // A line that stays.
  void note(const std::string& line);
  [[nodiscard]] Language language() const { return language_; }

 private:
  [[nodiscard]] bool draw_is_due();
  [[nodiscard]] double seconds() const;  // since begin()
  [[nodiscard]] double seconds_left(std::int64_t done) const;
  void draw(std::int64_t done, const std::string& told);
  void clear();

  using Clock = std::chrono::steady_clock;
  Language language_;
  bool terminal_;
  bool drawn_ = false;
  std::string what_;
  std::int64_t total_ = 0;
  std::int64_t begin_done_ = 0;
  std::int64_t tokens_ = 0;
  double smooth_loss_ = 0;
  Clock::time_point begun_;
  Clock::time_point last_draw_;
};

// "1:02:03", "2:03".
std::string clock_text(double seconds);
// 0.9312 as "93.12".
std::string percent_text(double share);
// So many digits behind the point.
std::string fixed_text(double value, int digits);

}  // namespace qiao::learn
