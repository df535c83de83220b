// SPDX-License-Identifier: Apache-2.0
#include "server/replays.h"

#include <pthread.h>

#include <utility>

namespace qiao::server {

Status Replays::start(Job job) {
  std::lock_guard lock(mutex_);
  if (stopped_) return unavailable("the server is stopping");
  if (running_) return overloaded("another conversation is being replayed; try again");
  running_ = true;
  thread_ = std::jthread([this, job = std::move(job)](const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), "replay");
    job(stop);
    std::lock_guard inner(mutex_);
    running_ = false;
  });
  return {};
}

void Replays::stop() {
  std::jthread thread;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    thread = std::move(thread_);
  }
  thread.request_stop();
  if (thread.joinable()) thread.join();
}

}  // namespace qiao::server
