// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "base/executor.h"
#include "base/testing/manual_clock.h"

namespace qiao::testing {

// Runs tasks only when run() or advance() is called, on the caller's thread; timers fire by
// the ManualClock it moves. post() may come from any thread.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(ManualClock& clock) : clock_(clock) {}

  Status post(Task task) override {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    return {};
  }
  TimerId post_after(std::int64_t delay_ms, Task task) override {
    std::lock_guard lock(mutex_);
    const TimerId id = ++last_timer_;
    timers_.emplace(std::pair{clock_.steady_us() / 1000 + delay_ms, id}, std::move(task));
    return id;
  }
  void cancel(TimerId timer) override {
    std::lock_guard lock(mutex_);
    std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == timer; });
  }

  // Runs everything posted, also what the tasks post, at most `tasks_max`. Returns how many ran.
  std::size_t run(std::size_t tasks_max = SIZE_MAX) {
    std::size_t count = 0;
    for (Task task; count < tasks_max && next(task); ++count) task();
    return count;
  }
  // Moves the clock, stopping at each timer on the way.
  void advance_ms(std::int64_t ms) {
    const std::int64_t end = clock_.steady_us() / 1000 + ms;
    run();
    for (Task task; next_timer(end, task); run()) task();
    clock_.advance_ms(end - clock_.steady_us() / 1000);
    run();
  }

 private:
  bool next(Task& task) {
    std::lock_guard lock(mutex_);
    if (tasks_.empty()) return false;
    task = std::move(tasks_.front());
    tasks_.pop_front();
    return true;
  }
  bool next_timer(std::int64_t end, Task& task) {
    std::lock_guard lock(mutex_);
    if (timers_.empty() || timers_.begin()->first.first > end) return false;
    const std::int64_t now = clock_.steady_us() / 1000;
    if (timers_.begin()->first.first > now) clock_.advance_ms(timers_.begin()->first.first - now);
    task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    return true;
  }

  ManualClock& clock_;
  std::mutex mutex_;
  std::deque<Task> tasks_;
  std::map<std::pair<std::int64_t, TimerId>, Task> timers_;
  TimerId last_timer_ = 0;
};

}  // namespace qiao::testing
