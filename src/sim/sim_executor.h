// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "base/executor.h"
#include "base/random.h"
#include "sim/agenda.h"

namespace qiao::sim {

// One loop or thread of the simulated process: its tasks run in the order they were posted, each
// after a drawn delay, between the tasks of the other executors. abandon() is the death of the
// process: nothing runs any more, and what waits is destroyed.
class SimExecutor final : public Executor {
 public:
  // A task waits up to `lag_us_max`.
  SimExecutor(Agenda& agenda, Rng& rng, std::int64_t lag_us_max)
      : agenda_(agenda), rng_(rng), lag_us_max_(lag_us_max) {}
  ~SimExecutor() override { abandon(); }

  Status post(Task task) override;
  TimerId post_after(std::int64_t delay_ms, Task task) override;
  void cancel(TimerId timer) override { timers_.erase(timer); }

  void abandon();
  // The next task waits this long besides: a disk that is slow.
  void delay_next_us(std::int64_t us) { extra_us_ += us; }

 private:
  void run_next();
  void run_timer(TimerId timer);

  Agenda& agenda_;
  Rng& rng_;
  const std::int64_t lag_us_max_;
  std::int64_t extra_us_ = 0;
  std::deque<Task> tasks_;
  std::map<TimerId, Task> timers_;
  TimerId last_timer_ = 0;
  std::shared_ptr<SimExecutor*> alive_ = std::make_shared<SimExecutor*>(this);
};

}  // namespace qiao::sim
