// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Looks at what is parked in a group, now and then, and wakes some of it.
class Waker final : public Actor {
 public:
  Waker(World& world, std::string name, std::uint64_t seed, std::string group)
      : Actor(world, std::move(name), seed), group_(std::move(group)) {}

  void start() override { look(); }

 private:
  void look();
  void told(const Result<std::vector<ParkedMessage>>& parked);

  const std::string group_;
};

}  // namespace qiao::sim
