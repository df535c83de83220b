// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/turn_gate.h"

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
    return std::clamp<std::int64_t>(parts_.clock.wall_ms() - message.time_ms, 0,
                                    parts_.config.max_wait_ms);
  };
  const auto& followers = delivery_.followers;
  begin_ms_ = now_ms() - age_ms(delivery_.message);
  last_ms_ = now_ms() - age_ms(followers.empty() ? delivery_.message : followers.back().message);
  judge();
  wait();
}

void TurnGate::typing(std::int64_t for_ms) {
  if (!done_) return;
  typing_until_ms_ = now_ms() + for_ms;
  wait();
}

// All that was said, as one text: a fragment alone shows little.
void TurnGate::judge() {
  score_.reset();
  if (parts_.completeness == nullptr) return;
  std::string text = delivery_.message.text();
  for (const StoredMessage& follower : delivery_.followers) text += " " + follower.message.text();
  parts_.completeness->judge(
      text, on_loop(parts_.executor, shared_from_this(),
                    [said = delivery_.followers.size()](TurnGate& self, double score) {
                      if (!self.done_) return;
                      if (said != self.delivery_.followers.size()) return;
                      self.score_ = score;
                      self.wait();
                    }));
}

void TurnGate::wait() {
  const std::int64_t silent_ms = last_ms_ + parts_.config.settle_for(score_);
  const std::int64_t until_ms =
      std::min(std::max(silent_ms, typing_until_ms_), begin_ms_ + parts_.config.max_wait_ms);
  const std::int64_t left_ms = until_ms - now_ms();
  if (left_ms <= 0) return open();
  parts_.broker.join(
      lease_of(delivery_), left_ms,
      on_loop(parts_.executor, shared_from_this(),
              [round = ++round_](TurnGate& self, Result<std::vector<StoredMessage>> messages) {
                self.joined(round, std::move(messages));
              }));
}

void TurnGate::joined(int round, Result<std::vector<StoredMessage>> messages) {
  if (!done_) return;
  if (!messages) {
    const Code code = messages.error().code;
    if (code == Code::kConflict || code == Code::kNotFound)
      return std::exchange(done_, {})(std::move(messages.error()));
    log_warn("flow", "the turn gate cannot wait: " + messages.error().message);
    return open();
  }
  if (messages->empty() && round != round_) return;  // ended by a later wait
  if (!messages->empty()) {
    for (StoredMessage& message : *messages) delivery_.followers.push_back(std::move(message));
    last_ms_ = now_ms();
    typing_until_ms_ = 0;  // it was typed
    judge();
  }
  wait();
}

void TurnGate::open() {
  std::exchange(done_, {})(Passed{std::move(delivery_), now_ms() - last_ms_});
}

}  // namespace qiao::flow
