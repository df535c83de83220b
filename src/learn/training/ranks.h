// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

inline constexpr std::int64_t kRanksMax = 64;
// A rank that is silent for longer counts as dead: the others wait while rank 0 looks at the
// held-out text and saves. One that ends is seen at once.
inline constexpr auto kRankSilenceMax = std::chrono::minutes(10);

// Processes that learn one model together, each from its part of every batch (data parallel), over
// c10d's Gloo on this machine. Rank 0 is the process that was started; it starts the others as
// copies of itself, and they end when it does. Alone (one rank) every call returns at once.
//
// The only file that knows c10d. One thread at a time.
class Ranks {
 public:
  // This process alone.
  Ranks();
  // As many processes as `count`, with this program's own arguments. In a process that was started
  // so, joins the others. Call before any other thread exists. Blocks until all are there.
  static Result<std::unique_ptr<Ranks>> start(std::int64_t count, char** arguments);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t rank() const { return rank_; }
  [[nodiscard]] bool first() const { return rank_ == 0; }

  // Each value becomes the sum over all ranks, the same bits on each. `unavailable` when a rank is
  // gone or silent.
  Status add_up(std::vector<torch::Tensor>& tensors);
  // `value` of rank 0.
  Result<double> told(double value);

  // The rows of a batch that are this rank's, [begin, end).
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> rows(std::int64_t batch) const {
    return {batch * rank_ / count_, batch * (rank_ + 1) / count_};
  }

 private:
  struct Group;
  [[nodiscard]] Error gone(const std::string& why) const;

  std::int64_t count_ = 1;
  std::int64_t rank_ = 0;
  std::unique_ptr<Group> group_;  // null when alone
  std::vector<int> children_;     // of rank 0
  std::string place_;             // of the file by which they meet
};

}  // namespace qiao::learn
