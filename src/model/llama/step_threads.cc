// SPDX-License-Identifier: Apache-2.0
#include "model/llama/step_threads.h"

#include <time.h>

#include <algorithm>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace qiao::model {
namespace {

// Below: a thread lost its core. At or above the second: a core is free.
constexpr double kServedPoorly = 0.75;
constexpr double kServedWell = 0.9;

std::int64_t now_of(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) return 0;
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

// Computes for kTrialUs; returns the processor time it was given.
std::int64_t compute() {
  const auto cpu_us = now_of(CLOCK_THREAD_CPUTIME_ID);
  const auto until_us = now_of(CLOCK_MONOTONIC) + StepThreads::kTrialUs;
  while (now_of(CLOCK_MONOTONIC) < until_us) {
  }
  return now_of(CLOCK_THREAD_CPUTIME_ID) - cpu_us;
}

}  // namespace

StepThreads::StepThreads(int most, Try run)
    : most_(std::max(most, 1)),
      try_(std::move(run)),
      count_(most_),
      begun_us_(-kPauseUs),
      ended_us_(-kPauseUs) {}

int StepThreads::next(std::int64_t now_us) {
  if (knows_nothing(now_us)) {
    const Trial trial = try_(most_);
    count_ = std::clamp(static_cast<int>(trial.share * trial.threads + 0.25), 1, trial.threads);
    try_after_us_ = kTryAfterMinUs;
    try_at_us_ = now_us + try_after_us_;
  } else if (count_ < most_ && now_us >= try_at_us_) {
    const Trial trial = try_(count_ + 1);
    raised_ = trial.threads > count_ && trial.share >= kServedWell;
    count_ += raised_ ? 1 : 0;
    try_after_us_ = std::min(2 * try_after_us_, kTryAfterMaxUs);
    try_at_us_ = now_us + try_after_us_;
  }
  begun_us_ = now_us;
  return count_;
}

void StepThreads::note(std::int64_t now_us, std::int64_t cpu_us) {
  const auto wall_us = now_us - begun_us_;
  ended_us_ = now_us;
  const auto wanted_us = static_cast<double>(wall_us) * count_;
  const bool served = static_cast<double>(cpu_us) >= kServedPoorly * wanted_us;
  if (served && raised_) try_after_us_ = kTryAfterMinUs;  // the trial was right
  if (!served && count_ > 1) --count_;
  if (!served || raised_) try_at_us_ = now_us + try_after_us_;
  raised_ = false;
}

StepThreads::Trial StepThreads::run_now(int threads) {
  std::vector<std::int64_t> given(static_cast<std::size_t>(threads), 0);
  std::vector<std::thread> others;
  others.reserve(given.size());
  try {
    for (std::size_t i = 1; i < given.size(); ++i) {
      others.emplace_back([&slot = given[i]] { slot = compute(); });
    }
  } catch (const std::system_error&) {  // no memory or right for one more
  }
  given[0] = compute();
  for (std::thread& other : others) other.join();
  const auto made = static_cast<int>(others.size()) + 1;
  const auto sum = std::accumulate(given.begin(), given.end(), std::int64_t{0});
  return {made, static_cast<double>(sum) / (static_cast<double>(kTrialUs) * made)};
}

std::int64_t process_cpu_us() {
  return now_of(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace qiao::model
