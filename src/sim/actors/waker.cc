// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/waker.h"

namespace qiao::sim {
namespace {

constexpr std::uint64_t kPauseMsMax = 1'000;

}  // namespace

void Waker::look() {
  soon(kPauseMsMax, [this] {
    world_.wire.call<std::vector<ParkedMessage>>(
        [this](Broker& broker, Broker::Done<std::vector<ParkedMessage>> done) {
          broker.parked(group_, std::move(done));
        },
        [this](const Result<std::vector<ParkedMessage>>& parked) { told(parked); });
  });
}

// One that another has woken, or its time, is a conflict.
void Waker::told(const Result<std::vector<ParkedMessage>>& parked) {
  if (!parked) {
    refused("parked", parked.error());
    return look();
  }
  for (const ParkedMessage& one : *parked) {
    if (!chance(0.5)) continue;
    tell("wakes " + std::to_string(one.offset));
    world_.wire.call<void>(
        [this, offset = one.offset](Broker& broker, Broker::Done<void> done) {
          broker.wake(group_, offset, std::move(done));
        },
        [this](const Status& woken) {
          if (!woken) refused("wake", woken.error());
        });
  }
  look();
}

}  // namespace qiao::sim
