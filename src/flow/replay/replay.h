// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "flow/replay/recorded_turns.h"
#include "model/open_model.h"
#include "understand/bundle_slot.h"

namespace qiao {

// What a turn said now beside what it said then.
struct ReplayedTurn {
  struct Difference {
    std::string at;  // where in {"reply", "decision"}, a JSON pointer
    std::string then;
    std::string now;
  };
  std::string message_id;
  std::string question;
  std::string reply_then;
  std::string reply_now;
  Json decision_then;
  Json decision_now;
  std::optional<Difference> difference;  // the first one
};

struct ReplayOptions {
  bool live = false;  // understands and asks models anew; tools answer from the record alone
  ModelSet models;    // by the names the flow uses; asked only when live
  const BundleSet* bundles = nullptr;  // of its heads; asked only when live
  std::int64_t turn_timeout_ms = 120'000;
  std::stop_token stop;
};

// Plays recorded turns again, each from the conversation as it was recorded, on an engine of its
// own over a log in memory: nothing is published, nobody is told. Recorded (not live), every
// answer of the outside comes from the receipts: no model, tool or encoder is asked, and the reply
// and the decision are those of the record byte for byte, unless the flow has changed.
//
// Blocks. Error: the flow cannot be run, or `stop` was asked for (`cancelled`).
Result<std::vector<ReplayedTurn>> replay_turns(
    const FlowConfig& config, const std::vector<RecordedTurn>& turns, const ReplayOptions& options,
    const std::function<void(const ReplayedTurn&)>& on_turn = {});

}  // namespace qiao
