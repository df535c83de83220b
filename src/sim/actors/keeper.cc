// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/keeper.h"

#include <algorithm>

namespace qiao::sim {
namespace {

constexpr std::uint64_t kAgainMsMax = 500;
constexpr std::uint64_t kPauseMsMax = 8'000;
constexpr double kErased = 0.2;

}  // namespace

TopicSpec Keeper::draw() {
  const auto some = [this](auto most) -> decltype(most) {
    if (most == 0 || chance(0.3)) return 0;
    return 1 + static_cast<decltype(most)>(rng_.below(static_cast<std::uint64_t>(most)));
  };
  TopicSpec spec;
  spec.pattern = most_.pattern;
  spec.retain_ms = some(most_.retain_ms);
  spec.retain_messages = some(most_.retain_messages);
  spec.retain_bytes = some(most_.retain_bytes);
  spec.backlog_max = some(most_.backlog_max);
  spec.compact = most_.compact && chance(0.5);
  spec.drop_unacked = most_.drop_unacked && chance(0.5);
  return spec;
}

void Keeper::set() {
  if (settled_) return;
  world_.wire.call<void>(
      [spec = draw()](Broker& broker, Broker::Done<void> done) {
        broker.set_topic(spec, std::move(done));
      },
      [this](const Status& status) { told(status); });
}

void Keeper::erase() {
  if (settled_) return;
  world_.wire.call<void>(
      [this](Broker& broker, Broker::Done<void> done) {
        broker.erase_topic_settings(most_.pattern, std::move(done));
      },
      [this](const Status& status) { told(status); });
}

void Keeper::told(const Status& status) {
  if (!status) {
    refused("topic settings", status.error());
    return soon(kAgainMsMax, [this] { set(); });
  }
  soon(kPauseMsMax, [this] { chance(kErased) ? erase() : set(); });
}

}  // namespace qiao::sim
