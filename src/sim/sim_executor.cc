// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_executor.h"

#include <utility>

namespace qiao::sim {

Status SimExecutor::post(Task task) {
  if (!alive_) return Error{Code::kCancelled, "the process has ended"};
  tasks_.push_back(std::move(task));
  const auto lag =
      static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(lag_us_max_) + 1));
  agenda_.after_us(lag + std::exchange(extra_us_, 0), [weak = std::weak_ptr(alive_)] {
    if (const auto alive = weak.lock()) (*alive)->run_next();
  });
  return {};
}

Executor::TimerId SimExecutor::post_after(std::int64_t delay_ms, Task task) {
  if (!alive_) return 0;
  const TimerId id = ++last_timer_;
  timers_.emplace(id, std::move(task));
  agenda_.after_ms(delay_ms, [weak = std::weak_ptr(alive_), id] {
    if (const auto alive = weak.lock()) (*alive)->run_timer(id);
  });
  return id;
}

void SimExecutor::run_next() {
  if (tasks_.empty()) return;
  const Task task = std::move(tasks_.front());
  tasks_.pop_front();
  task();
}

void SimExecutor::run_timer(TimerId timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  const Task task = std::move(found->second);
  timers_.erase(found);
  task();
}

// What the tasks hold may cancel timers while it goes.
void SimExecutor::abandon() {
  alive_.reset();
  const auto tasks = std::exchange(tasks_, {});
  const auto timers = std::exchange(timers_, {});
}

}  // namespace qiao::sim
