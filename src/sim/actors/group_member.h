// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Who works in a group: makes it, then leases again and again, and notes in the journal what it is
// handed and what the broker confirms.
class GroupMember : public Actor {
 public:
  GroupMember(World& world, std::string name, std::uint64_t seed, GroupSpec group)
      : Actor(world, std::move(name), seed), group_(std::move(group)) {}

  void start() override;

 protected:
  virtual void lease() = 0;
  // What the broker hands out counts from the moment it does, received or not.
  void ask(const LeaseWish& wish, Broker::Done<std::vector<Delivery>> answer);
  // The newest entry of this lease, as the broker handed it out; null: it did not.
  HandedOut* entry_of(const LeaseRef& lease);
  void acked(const LeaseRef& lease);
  // It may go to the next one before its own holder is told.
  void given_back(const LeaseRef& lease);

  const GroupSpec group_;

 private:
  void make_group();
  void note(const Delivery& delivery, const Capacity& capacity);
};

}  // namespace qiao::sim
