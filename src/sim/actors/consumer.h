// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "sim/actor.h"

namespace qiao::sim {

struct ConsumerPlan {
  GroupSpec group;
  std::string result = {};  // subject of a result committed with each ack; "" = a plain ack
  bool answers = false;     // to the message's reply_to
  double parks = 0;         // the share of what it leases that it lets rest
  bool joins = false;       // asks what came meanwhile before it finishes
  Capacity capacity = {};   // as it tells the broker
};

// One consumer of a group: leases a few messages, takes its time, then acks (with or without a
// result in the same commit), gives back, parks, takes in what came meanwhile, asks for more time,
// or vanishes. Messages whose text begins with "poison" it always gives back.
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
  void join(const Delivery& delivery, int tries);
  void finish(const Delivery& delivery, int tries);
  void acked(const LeaseRef& lease);
  void give_back(const Delivery& delivery);
  void park(const Delivery& delivery);
  void extend(const Delivery& delivery);
  [[nodiscard]] Commit outcome_of(const Delivery& delivery) const;
  [[nodiscard]] Failure failure_of(const Message& message);
  // The newest entry of this lease, as the broker handed it out.
  HandedOut* entry_of(const LeaseRef& lease);
  void note(const Delivery& delivery);

  const ConsumerPlan plan_;
  std::deque<Delivery> taken_;
};

}  // namespace qiao::sim
