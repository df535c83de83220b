// SPDX-License-Identifier: Apache-2.0
#include "flow/work_pool.h"

#include <utility>

namespace qiao {
namespace {

constexpr std::int64_t kPostAgainMs = 1;  // an executor with no room now has room later

}  // namespace

WorkPool::WorkPool(std::size_t threads, std::size_t jobs_max) : jobs_max_(jobs_max) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

WorkPool::WorkPool(Executor* executor) : executor_(executor), jobs_max_(kJobsMax) {
  for (std::size_t i = 0; executor_ == nullptr && i < kThreads; ++i) {
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
  if (executor_ != nullptr) post_job();
  more_.notify_one();
  return {};
}

// Each post runs the oldest job that waits.
void WorkPool::post_job() {
  const auto task = [weak = std::weak_ptr<WorkPool*>(alive_)] {
    const auto alive = weak.lock();
    if (!alive || (*alive)->jobs_.empty()) return;
    const Job job = std::move((*alive)->jobs_.front());
    (*alive)->jobs_.pop_front();
    job({});
  };
  if (!executor_->post(task)) executor_->post_after(kPostAgainMs, task);
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
