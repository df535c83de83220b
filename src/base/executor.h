// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace qiao {

// Runs functions one after another: the loop that broker and flow live on. A test or a
// simulation gives its own (testing/manual_executor.h) and owns order and time.
//
// post() and post_after() are thread-safe and never block. Tasks run to completion and never
// concurrently with each other.
class Executor {
 public:
  using Task = std::function<void()>;
  using TimerId = std::uint64_t;

  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  // Fails with `overloaded` when `tasks_max` tasks wait, with `cancelled` after stop.
  virtual Status post(Task task) = 0;
  // Runs `task` after `delay_ms`. Timers are not counted by tasks_max.
  virtual TimerId post_after(std::int64_t delay_ms, Task task) = 0;
  // Forgets a timer that has not run; harmless otherwise.
  virtual void cancel(TimerId timer) = 0;
};

// An Executor with a thread of its own. stop() (and the destructor) runs what was already
// posted, drops the timers, and joins. Owned by server/app.
//
// `niceness` 1 to 19: the thread, and every thread and process that it starts, gets a core after
// those that are less nice.
class LoopThread final : public Executor {
 public:
  static constexpr std::size_t kTasksMax = 1 << 18;

  explicit LoopThread(std::string name, std::size_t tasks_max = kTasksMax, int niceness = 0);
  ~LoopThread() override;

  Status post(Task task) override;
  TimerId post_after(std::int64_t delay_ms, Task task) override;
  void cancel(TimerId timer) override;
  void stop();
  // True on the loop's own thread.
  [[nodiscard]] bool on_loop() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao
