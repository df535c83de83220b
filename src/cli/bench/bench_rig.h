// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/disk.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "broker/broker.h"
#include "log/log.h"

namespace qiao::cli {

struct BenchRigOptions {
  bool memory = false;    // a log in memory
  std::string directory;  // parent of the log's folder; "" = the system's temporary folder
  bool fsync = true;
  std::size_t body_cache_bytes = BrokerOptions().body_cache_bytes;
};

// A whole broker as in the server, over a log of its own that goes when the rig goes. One thread
// makes, opens and closes it; the broker may be used from any.
class BenchRig {
 public:
  static Result<std::unique_ptr<BenchRig>> make(const BenchRigOptions& options);
  ~BenchRig();
  BenchRig(const BenchRig&) = delete;
  BenchRig& operator=(const BenchRig&) = delete;

  // Ends the broker, with a last snapshot or as a crash would, and opens it on what is left.
  // Requires: not in memory.
  Status reopen(bool orderly);

  Broker& broker() { return *broker_; }
  Log& log() { return *log_; }
  Executor& loop() { return loop_; }
  const Clock& clock() { return clock_; }
  Metrics& metrics() { return metrics_; }
  [[nodiscard]] std::uint64_t log_bytes() const;

 private:
  explicit BenchRig(const BenchRigOptions& options) : options_(options) {}
  Status open();

  const BenchRigOptions options_;
  SystemDisk disk_;
  SystemClock clock_;
  IdMaker ids_{clock_, random_seed()};
  Metrics metrics_;
  std::filesystem::path folder_;
  LoopThread loop_{"broker"};
  std::unique_ptr<Log> log_;
  std::unique_ptr<Broker> broker_;
};

// Runs a call that answers by a callback, and waits for the answer. Not on the loop.
template <class T>
Result<T> wait_for(const std::function<void(std::function<void(Result<T>)>)>& call) {
  std::promise<Result<T>> answered;
  call([&answered](Result<T> result) { answered.set_value(std::move(result)); });
  return answered.get_future().get();
}

// As the processor calls itself.
std::string cpu_name();

}  // namespace qiao::cli
