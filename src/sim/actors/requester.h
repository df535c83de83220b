// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Asks questions by request-reply, each until one is answered: a question that failed is asked
// again under a new id. Of some it changes its mind before they are answered.
class Requester final : public Actor {
 public:
  Requester(World& world, std::string name, std::uint64_t seed, std::string subject, int questions)
      : Actor(world, std::move(name), seed), subject_(std::move(subject)), left_(questions) {}

  void start() override { ask(); }
  [[nodiscard]] std::string unfinished() const override;

 private:
  void ask();
  void change_mind(const std::string& id);
  void told(const std::string& id, const Result<Message>& answer);

  const std::string subject_;
  int left_;
  int asked_ = 0;
};

}  // namespace qiao::sim
