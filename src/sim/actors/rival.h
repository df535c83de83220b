// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "sim/actor.h"

namespace qiao::sim {

struct RivalPlan {
  std::string subject;
  std::string conversation;
  int count = 1;  // of messages to store
};

// One of several that write to one conversation: publishes only where it has seen the last message,
// blindly again with the same id until the broker has told whether that was so. Now and then it
// has not looked well.
class Rival final : public Actor {
 public:
  Rival(World& world, std::string name, std::uint64_t seed, RivalPlan plan)
      : Actor(world, std::move(name), seed), plan_(std::move(plan)), left_(plan_.count) {}

  void start() override { next(); }
  [[nodiscard]] std::string unfinished() const override;

 private:
  void next();
  void look();
  void looked(const Page& page);
  void make();
  void send();
  void told(const Result<std::vector<Published>>& published);
  void note(const std::string& id, const Result<std::vector<Published>>& published);

  const RivalPlan plan_;
  int left_;
  int made_ = 0;
  std::uint64_t from_ = 0;
  std::optional<std::uint64_t> last_;  // that it has seen
  Message message_;                    // of now
};

}  // namespace qiao::sim
