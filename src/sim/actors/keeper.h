// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Says how the messages of a pattern are kept, and changes its mind: draws a few of the settings
// that `most` has, each up to its bound there.
class Keeper final : public Actor {
 public:
  Keeper(World& world, std::string name, std::uint64_t seed, TopicSpec most)
      : Actor(world, std::move(name), seed), most_(std::move(most)) {}

  void start() override { set(); }

 private:
  void set();
  void erase();
  void told(const Status& status);
  [[nodiscard]] TopicSpec draw();

  const TopicSpec most_;
};

}  // namespace qiao::sim
