// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

struct PublisherPlan {
  std::string subject;
  std::string conversation;
  std::vector<std::string> texts;
  std::uint64_t pause_ms_max = 2'000;
  bool ranked = false;     // some have a priority of their own
  double delayed = 0;      // the share of those that are to be delivered later
  std::uint64_t keys = 0;  // of compaction; 0: they have none
  bool limited = false;    // what they cause has limits
};

// Publishes its texts one after the other, each under an id of its own, and tries again blindly
// with the same id until the broker has told it the offset.
class Publisher final : public Actor {
 public:
  Publisher(World& world, std::string name, std::uint64_t seed, PublisherPlan plan)
      : Actor(world, std::move(name), seed), plan_(std::move(plan)) {}

  void start() override { next(); }
  [[nodiscard]] std::string unfinished() const override;

 private:
  void next();
  void make();
  void limit(Budget& budget);
  void send();
  void told(Result<std::vector<Published>> published);
  [[nodiscard]] std::string id() const { return name_ + "-" + std::to_string(index_); }

  const PublisherPlan plan_;
  std::size_t index_ = 0;
  Message message_;            // of now
  std::int64_t delay_ms_ = 0;  // its delay
};

}  // namespace qiao::sim
