// SPDX-License-Identifier: Apache-2.0
#include "flow/gather.h"

#include <algorithm>

namespace qiao::flow {

void Gatherer::seen(const StoredMessage& message) {
  const std::string& conversation = message.message.conversation;
  if (!waits() || conversation.empty()) return;
  if (waiting_count_ >= kWaitingMax / 2) sweep();
  if (waiting_count_ >= kWaitingMax) return;
  waiting_[conversation].push_back(message);
  ++waiting_count_;
  if (const auto burst = bursts_.find(conversation); burst != bursts_.end()) {
    burst->second.last_ms = now_ms();  // the timer finds that it is not silent yet
  }
}

// Forgets what no burst can want any more: its message was leased before it was seen here.
void Gatherer::sweep() {
  if (now_ms() < next_sweep_ms_) return;
  next_sweep_ms_ = now_ms() + config_.max_wait_ms;
  const std::int64_t old_ms = clock_.wall_ms() - 2 * config_.max_wait_ms;
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    const bool old = entry->second.back().message.time_ms < old_ms;
    if (old) waiting_count_ -= entry->second.size();
    entry = old ? waiting_.erase(entry) : std::next(entry);
  }
}

void Gatherer::gather(const Delivery& delivery, Done done) {
  const std::string& conversation = delivery.message.conversation;
  if (!waits() || conversation.empty()) return done({});
  // The message may have waited in its group for longer than any burst lasts.
  const std::int64_t age_ms =
      std::max<std::int64_t>(clock_.wall_ms() - delivery.message.time_ms, 0);
  const std::int64_t begin_ms = now_ms() - std::min(age_ms, config_.max_wait_ms);
  bursts_[conversation] = {delivery.offset, begin_ms, begin_ms, std::move(done)};
  check(conversation);
}

void Gatherer::wait(const std::string& conversation) {
  const Burst& burst = bursts_.at(conversation);
  const std::int64_t until =
      std::min(burst.last_ms + config_.settle_ms, burst.begin_ms + config_.max_wait_ms);
  executor_.post_after(std::max<std::int64_t>(until - now_ms(), 1),
                       [weak = std::weak_ptr<Gatherer*>(alive_), conversation] {
                         if (const auto self = weak.lock()) (*self)->check(conversation);
                       });
}

void Gatherer::check(const std::string& conversation) {
  const auto found = bursts_.find(conversation);
  if (found == bursts_.end()) return;
  const Burst& burst = found->second;
  const bool silent = now_ms() >= burst.last_ms + config_.settle_ms;
  const bool late = now_ms() >= burst.begin_ms + config_.max_wait_ms;
  if (!silent && !late) return wait(conversation);
  std::vector<Message> followers = take(conversation, burst.offset);
  const Done done = std::move(found->second.done);
  bursts_.erase(found);
  done(std::move(followers));
}

std::vector<Message> Gatherer::take(const std::string& conversation, std::uint64_t after) {
  std::vector<Message> followers;
  const auto found = waiting_.find(conversation);
  if (found == waiting_.end()) return followers;
  auto& queue = found->second;
  while (!queue.empty() && followers.size() < kBurstMax) {
    if (queue.front().offset > after) followers.push_back(std::move(queue.front().message));
    queue.pop_front();
    --waiting_count_;
  }
  if (queue.empty()) waiting_.erase(found);
  return followers;
}

}  // namespace qiao::flow
