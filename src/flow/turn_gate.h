// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker.h"
#include "flow/flow_config.h"

namespace qiao::flow {

// The turn gate: keeps a leased message back until its conversation has been silent for `settle`,
// at most `max_wait` after it was published. What comes meanwhile joins the lease (groups that
// merge or steer) or ends it (groups that interrupt).
//
// Flow loop only. Owned by the engine while it waits; broker, executor, clock and config outlive
// it. At most the group's followers_max messages join.
class TurnGate : public std::enable_shared_from_this<TurnGate> {
 public:
  // The delivery with all that joined it; an Error when its lease has ended.
  using Done = std::function<void(Result<Delivery>)>;

  TurnGate(Broker& broker, Executor& executor, const Clock& clock, const TurnConfig& config)
      : broker_(broker), executor_(executor), clock_(clock), config_(config) {}

  // `done` runs once, inside or later.
  void start(Delivery delivery, Done done);

 private:
  void wait();
  void joined(Result<std::vector<StoredMessage>> messages);
  void open();
  [[nodiscard]] std::int64_t now_ms() const { return clock_.steady_us() / 1'000; }

  Broker& broker_;
  Executor& executor_;
  const Clock& clock_;
  const TurnConfig& config_;
  Delivery delivery_;
  Done done_;
  std::int64_t begin_ms_ = 0;
  std::int64_t last_ms_ = 0;
};

}  // namespace qiao::flow
