// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sim/actors/group_member.h"

namespace qiao::sim {

// A consumer whose work has steps, each with an effect at the tool and then a receipt; whoever gets
// the message next goes on after the last receipt. The receipt of the last step comes with the ack.
// It fails, hands back and vanishes between the steps.
class Stepper final : public GroupMember {
 public:
  using GroupMember::GroupMember;

 private:
  using Work = std::shared_ptr<Delivery>;  // with the receipts of this attempt

  void lease() override;
  void next(const Work& work, int tries);
  void store(const Work& work, const StepReceipt& receipt, int tries);
  void finish(const Work& work, const StepReceipt& receipt, int tries);
  void again(const Error& error, int tries, const Agenda::Task& same);
  void stored(const LeaseRef& lease, const StepReceipt& receipt);
  void give_back(const Delivery& work);
};

}  // namespace qiao::sim
