// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace qiao::cli {

struct TurnBenchOptions {
  int conversations = 64;  // each with one message in flight
  double seconds = 3;
  std::string data;
  bool fsync = true;
};

// Whole turns of a flow in this process, with a scripted model in the place of a real one: the
// message is stored, routed by a rule, answered by an agent, filtered, and reply, events and ack
// are stored; a turn ends when its reply is durable. Blocks; leaves nothing behind.
Result<Json> bench_turn(const TurnBenchOptions& options);

}  // namespace qiao::cli
