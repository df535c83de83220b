// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace qiao::cli {

struct ScaleBenchOptions {
  std::string what;                // start | lanes | storm
  std::int64_t messages = 10'000;  // lanes: conversations
  std::size_t bytes = 256;
  std::string data;
  bool fsync = true;
};

inline constexpr std::int64_t kBenchMessagesMax = 20'000'000;

// How cost grows with what is kept; one row for `messages`:
//   start  opening a log of so many messages after a crash and after an orderly stop
//   lanes  so many conversations with one message each: memory while they wait and when they are
//          idle, and publish → lease → ack over all of them
//   storm  so many leases that run out together, until each message is delivered again
// Blocks; leaves nothing behind.
Result<Json> run_scale_bench(const ScaleBenchOptions& options);

}  // namespace qiao::cli
