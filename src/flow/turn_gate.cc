// SPDX-License-Identifier: Apache-2.0
#include "flow/turn_gate.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "flow/loop.h"

namespace qiao::flow {

// Messages may have waited in their group for longer than any burst lasts.
void TurnGate::start(Delivery delivery, Done done) {
  delivery_ = std::move(delivery);
  done_ = std::move(done);
  const auto age_ms = [this](const Message& message) {
    return std::clamp<std::int64_t>(clock_.wall_ms() - message.time_ms, 0, config_.max_wait_ms);
  };
  const auto& followers = delivery_.followers;
  begin_ms_ = now_ms() - age_ms(delivery_.message);
  last_ms_ = now_ms() - age_ms(followers.empty() ? delivery_.message : followers.back().message);
  wait();
}

void TurnGate::wait() {
  const std::int64_t until_ms =
      std::min(last_ms_ + config_.settle_ms, begin_ms_ + config_.max_wait_ms);
  const std::int64_t left_ms = until_ms - now_ms();
  if (left_ms <= 0) return open();
  broker_.join(lease_of(delivery_), left_ms,
               on_loop(executor_, shared_from_this(),
                       [](TurnGate& self, Result<std::vector<StoredMessage>> messages) {
                         self.joined(std::move(messages));
                       }));
}

void TurnGate::joined(Result<std::vector<StoredMessage>> messages) {
  if (!messages) {
    const Code code = messages.error().code;
    if (code == Code::kConflict || code == Code::kNotFound)
      return std::exchange(done_, {})(std::move(messages.error()));
    log_warn("flow", "the turn gate cannot wait: " + messages.error().message);
    return open();
  }
  if (!messages->empty()) last_ms_ = now_ms();
  for (StoredMessage& message : *messages) delivery_.followers.push_back(std::move(message));
  wait();
}

void TurnGate::open() {
  std::exchange(done_, {})(std::move(delivery_));
}

}  // namespace qiao::flow
