// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "sim/actor.h"

namespace qiao::sim {

// Watches the answers to some messages while they are written. A connection that was cut, or ended
// with its server, is made anew from the next offset of the attempt it was in. What it saw of each
// attempt at an answer is an entry of the journal.
class StreamReader final : public Actor {
 public:
  StreamReader(World& world, std::string name, std::uint64_t seed, std::vector<std::string> ids)
      : Actor(world, std::move(name), seed), ids_(std::move(ids)) {}

  void start() override;

 private:
  struct Watched {
    StreamSeen seen;
    std::uint64_t life = 0;
    Streams::ReaderId reader = 0;
    bool attached = false;
  };

  void watch();
  void follow(Watched& one);
  void attach(Watched& one);
  void event(Watched& one, const StreamEvent& event);
  void begin(Watched& one, std::uint32_t attempt);

  const std::vector<std::string> ids_;
  std::deque<Watched> watched_;
};

}  // namespace qiao::sim
