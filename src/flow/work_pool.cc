// SPDX-License-Identifier: Apache-2.0
#include "flow/work_pool.h"

#include <utility>

namespace qiao {

WorkPool::WorkPool(std::size_t threads, std::size_t jobs_max) : jobs_max_(jobs_max) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

WorkPool::~WorkPool() {
  stop();
}

Status WorkPool::submit(Job job) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return Error{Code::kCancelled, "the flow is stopping"};
    if (jobs_.size() >= jobs_max_) {
      return overloaded("more than " + std::to_string(jobs_max_) + " tool calls wait");
    }
    jobs_.push_back(std::move(job));
  }
  more_.notify_one();
  return {};
}

void WorkPool::stop() {
  std::deque<Job> dropped;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    dropped.swap(jobs_);  // destroyed outside the lock
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  more_.notify_all();
  threads_.clear();
}

void WorkPool::work(const std::stop_token& stop) {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      more_.wait(lock, stop, [this] { return !jobs_.empty() || stopped_; });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(stop);
  }
}

}  // namespace qiao
