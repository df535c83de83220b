// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/publisher.h"

namespace qiao::sim {
namespace {

constexpr std::uint64_t kAgainMsMax = 1'000;
constexpr std::uint64_t kDelayMsMax = 3'000;
constexpr std::uint64_t kHopsMax = 4;
constexpr std::uint64_t kCausedMax = 8;
constexpr std::uint64_t kTokensMax = 500;
constexpr std::uint64_t kCallsMax = 10;
constexpr std::uint64_t kWallMsMax = 8'000;

}  // namespace

std::string Publisher::unfinished() const {
  return index_ < plan_.texts.size() ? id() + " is not acked" : "";
}

// Once the faults are over, what is left goes out quickly.
void Publisher::next() {
  if (index_ >= plan_.texts.size()) return;
  soon(settled_ ? 10 : plan_.pause_ms_max, [this] {
    world_.journal.sent[plan_.conversation].push_back(id());
    make();
    send();
  });
}

void Publisher::make() {
  message_ = text_message(plan_.subject, plan_.texts[index_], plan_.conversation);
  message_.id = id();
  message_.source = name_;
  if (plan_.ranked) message_.priority = static_cast<std::uint8_t>(rng_.below(10));
  if (plan_.keys > 0) message_.key = "key" + std::to_string(rng_.below(plan_.keys));
  if (plan_.limited) limit(message_.budget);
  delay_ms_ = chance(plan_.delayed) ? 1 + static_cast<std::int64_t>(rng_.below(kDelayMsMax)) : 0;
}

// Always one of those that end a circle.
void Publisher::limit(Budget& budget) {
  const auto draw = [this](std::uint64_t most) {
    return static_cast<std::int32_t>(rng_.below(most));
  };
  budget.hops = draw(kHopsMax + 1);
  if (chance(0.5)) budget.messages = draw(kCausedMax + 1);
  if (chance(0.5)) budget.tokens = draw(kTokensMax);
  if (chance(0.5)) budget.calls = draw(kCallsMax);
  if (chance(0.5)) budget.cost_micro = draw(kTokensMax);
  if (chance(0.3)) budget.wall_ms = draw(kWallMsMax);
}

// The delay goes by the server's clock: a publisher's own may be an hour off here.
void Publisher::send() {
  tell("publish " + message_.id);
  world_.wire.call<std::vector<Published>>(
      [this, message = message_, delay_ms = delay_ms_](
          Broker& broker, Broker::Done<std::vector<Published>> done) mutable {
        if (delay_ms > 0) message.deliver_at_ms = world_.clock.wall_ms() + delay_ms;
        broker.publish({message}, std::move(done));
      },
      [this](Result<std::vector<Published>> published) { told(std::move(published)); });
}

void Publisher::told(Result<std::vector<Published>> published) {
  if (!published) {
    refused("publish", published.error());
    return soon(kAgainMsMax, [this] { send(); });
  }
  const Published& stored = published->front();
  tell("acked " + stored.id + " at " + std::to_string(stored.offset));
  world_.journal.acked[stored.id] = stored.offset;
  ++index_;
  next();
}

}  // namespace qiao::sim
