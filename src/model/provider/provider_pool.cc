// SPDX-License-Identifier: Apache-2.0
#include "model/provider/provider_pool.h"

#include <algorithm>
#include <chrono>

namespace qiao::model {
namespace {

constexpr std::int64_t kReapPauseUs = 1'000'000;  // also bounds a clock that stands still

Error cancelled() {
  return {Code::kCancelled, "the request was cancelled"};
}

}  // namespace

ProviderPool::ProviderPool(std::size_t threads, std::size_t waiting_max, const Clock& clock)
    : waiting_max_(waiting_max), clock_(clock) {
  reaper_ = std::jthread([this](const std::stop_token& stop) { reap(stop); });
  for (std::size_t i = 0; i < threads; ++i) {
    workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
}

ProviderPool::~ProviderPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    while (!waiting_.empty()) drop_waiting(waiting_.begin(), cancelled());
    for (auto& [id, source] : running_) source.request_stop();
  }
  workers_.clear();  // asks each to stop, and joins
  reaper_.request_stop();
  reaper_.join();
}

Result<std::uint64_t> ProviderPool::submit(Job job) {
  std::lock_guard lock(mutex_);
  if (stopping_) return cancelled();
  if (waiting_.size() >= waiting_max_) {
    return overloaded(std::to_string(waiting_max_) +
                      " requests wait for the provider already; "
                      "try again later");
  }
  const std::uint64_t id = ++last_id_;
  waiting_.emplace(Key{-job.priority, id}, std::move(job));
  work_ready_.notify_one();
  rescan_ = true;
  reap_ready_.notify_one();
  return id;
}

void ProviderPool::cancel(std::uint64_t id) {
  std::lock_guard lock(mutex_);
  if (const auto found = running_.find(id); found != running_.end()) found->second.request_stop();
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (at->first.second == id) return drop_waiting(at, cancelled());
  }
}

void ProviderPool::drop_waiting(std::map<Key, Job>::iterator at, Error error) {
  dropped_.emplace_back(std::move(at->second), std::move(error));
  waiting_.erase(at);
  reap_ready_.notify_one();
}

void ProviderPool::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (work_ready_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    const auto first = waiting_.begin();
    const std::uint64_t id = first->first.second;
    const Job job = std::move(first->second);
    waiting_.erase(first);
    const std::stop_token asked = running_[id].get_token();
    lock.unlock();
    job.run(asked);
    lock.lock();
    running_.erase(id);
  }
}

void ProviderPool::reap(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested() || !dropped_.empty()) {
    rescan_ = false;
    const std::int64_t now = clock_.steady_us();
    std::int64_t pause = kReapPauseUs;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const auto here = at++;
      const std::int64_t left = here->second.deadline_us - now;
      if (left > 0) {
        pause = std::min(pause, left);
      } else {
        drop_waiting(here, {Code::kDeadline, "the provider was busy until the deadline"});
      }
    }
    const auto dropped = std::exchange(dropped_, {});
    lock.unlock();
    for (const auto& [job, error] : dropped) job.drop(error);
    lock.lock();
    reap_ready_.wait_for(lock, stop, std::chrono::microseconds(pause),
                         [this] { return rescan_ || !dropped_.empty(); });
  }
}

}  // namespace qiao::model
