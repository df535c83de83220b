// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "sim/actor.h"

namespace qiao::sim {

struct ConsumerPlan {
  GroupSpec group;
  std::string result;    // subject of a result committed with each ack; "" = a plain ack
  bool answers = false;  // to the message's reply_to
};

// One consumer of a group: leases a few messages, takes its time, then acks (with or without a
// result in the same commit), gives back, asks for more time, or vanishes. Messages whose text
// begins with "poison" it always gives back.
class Consumer final : public Actor {
 public:
  Consumer(World& world, std::string name, std::uint64_t seed, ConsumerPlan plan)
      : Actor(world, std::move(name), seed), plan_(std::move(plan)) {}

  void start() override;

 private:
  void make_group();
  void lease();
  void leased(Result<std::vector<Delivery>> deliveries);
  void work();
  void handle(const Delivery& delivery);
  void finish(const Delivery& delivery, int tries);
  void give_back(const Delivery& delivery);
  void extend(const Delivery& delivery);
  [[nodiscard]] Commit outcome_of(const Delivery& delivery) const;

  const ConsumerPlan plan_;
  std::deque<Delivery> taken_;
};

}  // namespace qiao::sim
