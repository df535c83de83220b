// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace qiao::cli {

struct BenchOptions {
  std::string what;     // publish | lease | hop
  int publishers = 64;  // each with one message in flight
  std::size_t bytes = 256;
  double seconds = 3;
  std::string data;  // folder for the log; "" = a new one in the system's temporary folder
  bool fsync = true;
};

inline constexpr int kBenchPublishersMax = 10'000;
inline constexpr double kBenchSecondsMax = 600;

// Measures the broker in this process and returns one row with the keys of tools/bench_table:
// bench, publishers, bytes, seconds, messages_per_s, p50_ms, p99_ms, durability, cpu.
//   publish  a message is acked when it is durable
//   lease    publish, lease and ack, each durable, one after another
//   hop      publish to subscriber in memory; p50 and p99 of one message alone
// Leaves nothing behind in the temporary folder. Blocks.
Result<Json> run_bench(const BenchOptions& options);

}  // namespace qiao::cli
