// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/result.h"

namespace qiao::server {

// The thread on which conversations are replayed: one at a time, another is `overloaded`. Owned by
// App. Thread-safe. stop() asks the running one to end and waits for it: at most until its model
// has been cancelled.
class Replays {
 public:
  using Job = std::function<void(std::stop_token)>;

  Replays() = default;
  ~Replays() { stop(); }
  Replays(const Replays&) = delete;
  Replays& operator=(const Replays&) = delete;

  Status start(Job job);
  void stop();

 private:
  std::mutex mutex_;
  std::jthread thread_;
  bool running_ = false;
  bool stopped_ = false;
};

}  // namespace qiao::server
