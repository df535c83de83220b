// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "broker/broker.h"
#include "flow/flow_config.h"

namespace qiao::flow {

// The turn gate: waits after a conversation's message until it has been silent for `settle`, at
// most `max_wait` after the first, and gives what came meanwhile as one burst. Later messages of
// an ordered group cannot be leased yet: they are seen by a live subscription, which the owner
// feeds in here. Without `settle` every message is a burst of its own, at once.
//
// Flow loop only. At most kWaitingMax seen messages are kept, kBurstMax in one burst: what is
// beyond is simply the next turn.
class Gatherer {
 public:
  static constexpr std::size_t kWaitingMax = 10'000;
  static constexpr std::size_t kBurstMax = 16;
  using Done = std::function<void(std::vector<Message> followers)>;

  Gatherer(const TurnConfig& config, Executor& executor, const Clock& clock)
      : config_(config), executor_(executor), clock_(clock) {}

  [[nodiscard]] bool waits() const { return config_.settle_ms > 0; }
  // A live message of the input subject.
  void seen(const StoredMessage& message);
  // Gathers around a leased message; `done` runs once, inside or from a timer.
  void gather(const Delivery& delivery, Done done);

 private:
  struct Burst {
    std::uint64_t offset = 0;
    std::int64_t begin_ms = 0;
    std::int64_t last_ms = 0;
    Done done;
  };

  void sweep();
  void wait(const std::string& conversation);
  void check(const std::string& conversation);
  std::vector<Message> take(const std::string& conversation, std::uint64_t after);
  [[nodiscard]] std::int64_t now_ms() const { return clock_.steady_us() / 1'000; }

  const TurnConfig& config_;
  Executor& executor_;
  const Clock& clock_;
  std::map<std::string, std::deque<StoredMessage>> waiting_;  // by conversation, in order
  std::size_t waiting_count_ = 0;
  std::int64_t next_sweep_ms_ = 0;
  std::map<std::string, Burst> bursts_;
  std::shared_ptr<Gatherer*> alive_ = std::make_shared<Gatherer*>(this);  // for the timers
};

}  // namespace qiao::flow
