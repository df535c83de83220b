// SPDX-License-Identifier: Apache-2.0
#include "learn/commands/progress.h"
#include "base/i18n.h"
#include "text/display_width.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace qiao::learn {
namespace {

constexpr std::int64_t kBarCells = 24;
constexpr auto kDrawEvery = std::chrono::milliseconds(200);
constexpr double kKeepLoss = 0.95;  // of the smoothed loss at each step

}  // namespace

std::string clock_text(double seconds) {
  const auto whole = static_cast<long>(std::llround(std::max(0.0, seconds)));
  char text[64];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  }
  return text;
}

std::string fixed_text(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string percent_text(double share) {
  return fixed_text(100 * share, 2);
}

Progress::Progress(Language language, bool terminal) : language_(language), terminal_(terminal) {}

void Progress::begin(std::string_view what, std::int64_t total, std::int64_t done) {
  what_ = what;
  total_ = std::max<std::int64_t>(1, total);
  begin_done_ = done;
  tokens_ = 0;
  begun_ = Clock::now();
  last_draw_ = {};
}

void Progress::step(std::int64_t done, double loss, std::int64_t tokens) {
  tokens_ += tokens;
  smooth_loss_ = tokens_ == tokens ? loss : kKeepLoss * smooth_loss_ + (1 - kKeepLoss) * loss;
  if (!draw_is_due()) return;
  const double speed = seconds() > 0 ? static_cast<double>(tokens_) / seconds() : 0;
  draw(done,
       tr(language_, Text::kLearnBar,
          {fixed_text(smooth_loss_, 4), fixed_text(speed, 0), clock_text(seconds_left(done))}));
}

void Progress::step(std::int64_t done, const Told& told) {
  if (draw_is_due()) draw(done, told(seconds_left(done)));
}

void Progress::share(double done) {
  step(static_cast<std::int64_t>(100 * done), [this](double seconds_left) {
    return tr(language_, Text::kLearnBarLeft, {clock_text(seconds_left)});
  });
}

bool Progress::draw_is_due() {
  if (!terminal_ || Clock::now() - last_draw_ < kDrawEvery) return false;
  last_draw_ = Clock::now();
  return true;
}

double Progress::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begun_).count();
}

double Progress::seconds_left(std::int64_t done) const {
  const auto fresh = static_cast<double>(std::max<std::int64_t>(1, done - begin_done_));
  return seconds() / fresh * static_cast<double>(total_ - done);
}

void Progress::draw(std::int64_t done, const std::string& told) {
  std::string bar;
  for (std::int64_t i = 0; i < kBarCells; ++i) bar += i * total_ < done * kBarCells ? "█" : "░";
  clear();
  const std::string line =
      what_ + ' ' + bar + ' ' + std::to_string(100 * done / total_) + "% " + told;
  // A longer line would not be cleared.
  std::cerr << cut_to_width(line, terminal_columns(STDERR_FILENO) - 1) << std::flush;
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) std::cerr << "\r\x1b[2K";
  drawn_ = false;
}

void Progress::note(const std::string& line) {
  clear();
  std::cerr << line << std::endl;
}

}  // namespace qiao::learn
