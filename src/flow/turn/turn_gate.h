// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker.h"
#include "flow/config/flow_config.h"
#include "understand/completeness.h"

namespace qiao::flow {

// The turn gate: keeps a leased message back until its conversation has been silent for `settle`
// (less when the message is whole, more when it is cut off) and nobody types, at most `max_wait`
// after it was published. What comes meanwhile joins the lease (groups that merge or steer) or ends
// it (groups that interrupt).
//
// Flow loop only. Owned by the engine while it waits; what it works with outlives it. At most the
// group's followers_max messages join.
class TurnGate : public std::enable_shared_from_this<TurnGate> {
 public:
  struct Passed {
    Delivery delivery;          // with all that joined it
    std::int64_t delay_ms = 0;  // since its last message
  };
  // An Error when the lease has ended.
  using Done = std::function<void(Result<Passed>)>;
  struct Parts {
    Broker& broker;
    Executor& executor;
    const Clock& clock;
    const TurnConfig& config;
    std::shared_ptr<const Completeness> completeness;  // null: messages are not judged
  };

  explicit TurnGate(Parts parts) : parts_(std::move(parts)) {}

  // `done` runs once, inside or later.
  void start(Delivery delivery, Done done);
  // The user types, or (0) has stopped: waits until then for the next message.
  void typing(std::int64_t for_ms);

 private:
  void judge();
  void wait();
  void joined(int round, Result<std::vector<StoredMessage>> messages);
  void open();
  [[nodiscard]] std::int64_t now_ms() const { return parts_.clock.steady_us() / 1'000; }

  const Parts parts_;
  Delivery delivery_;
  Done done_;
  std::int64_t begin_ms_ = 0;
  std::int64_t last_ms_ = 0;
  std::int64_t typing_until_ms_ = 0;
  std::optional<double> score_;  // how whole what was said so far is
  int round_ = 0;  // of wait(): an answer to an earlier one that is empty says nothing
};

}  // namespace qiao::flow
