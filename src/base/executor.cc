// SPDX-License-Identifier: Apache-2.0
#include "base/executor.h"

#include <pthread.h>
#include <sys/resource.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace qiao {

class LoopThread::Impl {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  Impl(std::string name, std::size_t tasks_max, int niceness)
      : tasks_max_(tasks_max), thread_([this, niceness] {
          // Of this thread alone, on Linux. To be nicer is never refused.
          if (niceness > 0) static_cast<void>(::setpriority(PRIO_PROCESS, 0, niceness));
          run();
        }) {
    pthread_setname_np(thread_.native_handle(), name.substr(0, 15).c_str());
  }

  Status post(Task task) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return Error{Code::kCancelled, "the loop has stopped"};
      if (tasks_.size() >= tasks_max_)
        return overloaded("the loop has " + std::to_string(tasks_max_) + " tasks waiting");
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
    return {};
  }

  TimerId post_after(std::int64_t delay_ms, Task task) {
    const SteadyTime at = std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_ms);
    std::lock_guard lock(mutex_);
    const TimerId id = ++last_timer_;
    if (stopping_) return id;
    timers_.emplace(std::pair{at, id}, std::move(task));
    times_.emplace(id, at);
    wake_.notify_one();
    return id;
  }

  void cancel(TimerId timer) {
    std::lock_guard lock(mutex_);
    const auto found = times_.find(timer);
    if (found == times_.end()) return;
    timers_.erase({found->second, timer});
    times_.erase(found);
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      timers_.clear();
      times_.clear();
    }
    wake_.notify_one();
    if (thread_.joinable() && !on_loop()) thread_.join();
  }

  [[nodiscard]] bool on_loop() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void run() {
    std::deque<Task> batch;
    std::unique_lock lock(mutex_);
    while (true) {
      take_due_timers();
      if (tasks_.empty()) {
        if (stopping_) return;
        wait(lock);
        continue;
      }
      batch.swap(tasks_);
      lock.unlock();
      for (Task& task : batch) {
        task();
        task = nullptr;  // what it held goes before the next one runs
      }
      batch.clear();
      lock.lock();
    }
  }

  void take_due_timers() {
    const SteadyTime now = std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      times_.erase(timers_.begin()->first.second);
      tasks_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
  }

  void wait(std::unique_lock<std::mutex>& lock) {
    if (timers_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, SteadyTime(timers_.begin()->first.first));
    }
  }

  const std::size_t tasks_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  std::map<std::pair<SteadyTime, TimerId>, Task> timers_;
  std::unordered_map<TimerId, SteadyTime> times_;
  TimerId last_timer_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when everything above is there
};

LoopThread::LoopThread(std::string name, std::size_t tasks_max, int niceness)
    : impl_(std::make_unique<Impl>(std::move(name), tasks_max, niceness)) {}
LoopThread::~LoopThread() {
  impl_->stop();
}
Status LoopThread::post(Task task) {
  return impl_->post(std::move(task));
}
Executor::TimerId LoopThread::post_after(std::int64_t delay_ms, Task task) {
  return impl_->post_after(delay_ms, std::move(task));
}
void LoopThread::cancel(TimerId timer) {
  impl_->cancel(timer);
}
void LoopThread::stop() {
  impl_->stop();
}
bool LoopThread::on_loop() const {
  return impl_->on_loop();
}

}  // namespace qiao
