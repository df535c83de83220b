// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Reads the dead letters of a run and sends some again, with another text now and then, or drops
// them. With the faults over it stops: what is sent again may die again.
class Undertaker final : public Actor {
 public:
  Undertaker(World& world, std::string name, std::uint64_t seed, std::string pattern)
      : Actor(world, std::move(name), seed), pattern_(std::move(pattern)) {}

  void start() override { look(); }

 private:
  void look();
  void told(const Result<Page>& page);
  void send_again(std::uint64_t offset);
  void drop(std::uint64_t offset);

  const std::string pattern_;
};

}  // namespace qiao::sim
