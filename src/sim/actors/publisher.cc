// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/publisher.h"

namespace qiao::sim {
namespace {

constexpr std::uint64_t kAgainMsMax = 1'000;

}  // namespace

std::string Publisher::unfinished() const {
  return index_ < plan_.texts.size() ? id() + " is not acked" : "";
}

// Once the faults are over, what is left goes out quickly.
void Publisher::next() {
  if (index_ >= plan_.texts.size()) return;
  soon(settled_ ? 10 : plan_.pause_ms_max, [this] {
    world_.journal.sent[plan_.conversation].push_back(id());
    send();
  });
}

void Publisher::send() {
  Message message = text_message(plan_.subject, plan_.texts[index_], plan_.conversation);
  message.id = id();
  message.source = name_;
  tell("publish " + message.id);
  world_.wire.call<std::vector<Published>>(
      [message](Broker& broker, Broker::Done<std::vector<Published>> done) {
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
