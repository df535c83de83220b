// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Reads a pattern back in small pages, again and again from where it stopped.
class Pager final : public Actor {
 public:
  Pager(World& world, std::string name, std::uint64_t seed, std::string pattern)
      : Actor(world, std::move(name), seed), pattern_(std::move(pattern)) {}

  void start() override;

 private:
  void ask();
  void told(const Result<Page>& page);

  const std::string pattern_;
  std::uint64_t next_ = 0;
};

}  // namespace qiao::sim
