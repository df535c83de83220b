// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace qiao::model {

// Threads that each run one blocking exchange at a time, and the bounded queue before them:
// higher priority first, then in order of arrival. One thread more drops what was cancelled or
// ran out of time while it waited, so that a busy pool still answers in time.
//
// Owned by ProviderModel. Thread-safe. The destructor cancels everything and joins.
class ProviderPool {
 public:
  struct Job {
    std::uint8_t priority = 4;
    std::int64_t deadline_us = 0;              // by the clock's steady_us()
    std::function<void(std::stop_token)> run;  // exactly one of run and drop is called,
    std::function<void(Error)> drop;           // once, on a thread of the pool
  };

  ProviderPool(std::size_t threads, std::size_t waiting_max, const Clock& clock);
  ~ProviderPool();
  ProviderPool(const ProviderPool&) = delete;
  ProviderPool& operator=(const ProviderPool&) = delete;

  // The job's number (from 1), or `overloaded` when waiting_max jobs wait: then neither runs.
  Result<std::uint64_t> submit(Job job);
  // Drops a waiting job, asks a running one to stop; harmless when it has ended.
  void cancel(std::uint64_t id);

 private:
  // Descending priority, then ascending id.
  using Key = std::pair<int, std::uint64_t>;

  void work(const std::stop_token& stop);
  void reap(const std::stop_token& stop);
  void drop_waiting(std::map<Key, Job>::iterator at, Error error);  // with the lock held

  const std::size_t waiting_max_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any work_ready_;
  std::condition_variable_any reap_ready_;
  std::map<Key, Job> waiting_;
  std::map<std::uint64_t, std::stop_source> running_;
  std::vector<std::pair<Job, Error>> dropped_;
  std::uint64_t last_id_ = 0;
  bool rescan_ = false;  // a deadline came that the reaper does not know
  bool stopping_ = false;
  std::jthread reaper_;
  std::vector<std::jthread> workers_;
};

}  // namespace qiao::model
