// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/executor.h"
#include "base/result.h"

namespace qiao {

// A few threads for what must block: HTTP tools, reads of the history. Owned by the FlowEngine.
// Thread-safe. At most `jobs_max` wait; past that submit() is `overloaded`. stop() (and the
// destructor) asks running jobs to end by their stop token, drops those that wait, and joins:
// never call it from a job.
class WorkPool {
 public:
  using Job = std::function<void(std::stop_token)>;
  static constexpr std::size_t kThreads = 4;
  static constexpr std::size_t kJobsMax = 256;

  explicit WorkPool(std::size_t threads = kThreads, std::size_t jobs_max = kJobsMax);
  // Jobs run on `executor` instead, whose thread is that of all calls: a simulation owns their
  // order. Null: threads of the pool's own.
  explicit WorkPool(Executor* executor);
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  Status submit(Job job);
  void stop();

 private:
  void work(const std::stop_token& stop);
  void post_job();

  Executor* const executor_ = nullptr;
  const std::size_t jobs_max_;
  std::mutex mutex_;
  std::condition_variable_any more_;
  std::deque<Job> jobs_;
  bool stopped_ = false;
  std::shared_ptr<WorkPool*> alive_ = std::make_shared<WorkPool*>(this);  // for posted jobs
  std::vector<std::jthread> threads_;
};

}  // namespace qiao
