// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>

#include "sim/actors/group_member.h"

namespace qiao::sim {

struct ConsumerPlan {
  GroupSpec group;
  std::string result = {};         // subject of a result committed with each ack; "" = a plain ack
  bool answers = false;            // to the message's reply_to
  double parks = 0;                // the share of what it leases that it lets rest
  bool joins = false;              // asks what came meanwhile before it finishes
  Capacity capacity = {};          // as it tells the broker
  std::uint64_t children_max = 0;  // messages that one causes in its own topic
};

// One consumer of a group: leases a few messages, takes its time, then acks (with or without a
// result in the same commit), gives back, parks, takes in what came meanwhile, asks for more time,
// or vanishes. Messages whose text begins with "poison" it always gives back.
class Consumer final : public GroupMember {
 public:
  Consumer(World& world, std::string name, std::uint64_t seed, ConsumerPlan plan)
      : GroupMember(world, std::move(name), seed, plan.group), plan_(std::move(plan)) {}

 private:
  void lease() override;
  void leased(Result<std::vector<Delivery>> deliveries);
  void work();
  void handle(const Delivery& delivery);
  void join(const Delivery& delivery, int tries);
  void finish(const Delivery& delivery, int tries);
  void give_back(const Delivery& delivery, Failure failure);
  void park(const Delivery& delivery);
  void extend(const Delivery& delivery);
  [[nodiscard]] Commit outcome_of(const Delivery& delivery) const;
  void add_children(const Delivery& delivery, Commit& commit) const;
  [[nodiscard]] Failure failure_of(const Message& message);

  const ConsumerPlan plan_;
  std::deque<Delivery> taken_;
};

}  // namespace qiao::sim
