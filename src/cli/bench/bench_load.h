// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"

namespace qiao::cli {

// What a load found.
struct BenchSample {
  double messages_per_s = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

// A closed load: each of `workers` does a step, and the next one when it is done, until the time
// is over. The steps of one worker follow each other; those of several run at once. Made and run
// by one thread; steps may end on any.
class BenchLoad {
 public:
  using StepDone = std::function<void(Status)>;
  using Step = std::function<void(std::size_t worker, StepDone done)>;

  BenchLoad(std::size_t workers, double seconds, Step step);
  // Blocks for about `seconds`. The first Error of a step ends the load and is returned.
  Result<BenchSample> run();

 private:
  void begin(std::size_t worker);
  void ended(std::size_t worker, std::int64_t begin_ns, const Status& status);
  [[nodiscard]] BenchSample sample(double took_s) const;

  const double seconds_;
  const Step step_;
  std::vector<std::vector<float>> latencies_ms_;  // by worker
  std::int64_t end_ns_ = 0;
  std::atomic<std::size_t> running_{0};
  std::promise<void> all_ended_;
  std::mutex mutex_;  // guards failed_
  std::optional<Error> failed_;
};

}  // namespace qiao::cli
