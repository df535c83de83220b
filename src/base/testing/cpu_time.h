// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <functional>

namespace qiao::testing {

// The processor time that `work` takes on this thread, in seconds: a busy machine does not change
// it.
inline double cpu_seconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  const double begin = now();
  work();
  return now() - begin;
}

// Whether work on four times as much costs much less than the sixteen times of a square. What takes
// next to no time is taken for linear.
inline bool grows_linearly(const std::function<void()>& work,
                           const std::function<void()>& four_times) {
  const double once = cpu_seconds(work);
  const double four = cpu_seconds(four_times);
  return four < 0.05 || four < 10 * once;
}

}  // namespace qiao::testing
