// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sim/actor.h"

namespace qiao::sim {

// Follows a pattern live; when its connection ends or the server does, it comes back with the
// offset after the last one it has seen.
class LiveReader final : public Actor {
 public:
  LiveReader(World& world, std::string name, std::uint64_t seed, std::string pattern)
      : Actor(world, std::move(name), seed), pattern_(std::move(pattern)) {}

  void start() override;
  [[nodiscard]] std::string unfinished() const override;

 private:
  // One connection: what comes on it comes in order, and nothing after it ended.
  struct Connection {
    bool open = true;
    std::uint64_t life = 0;
    std::int64_t last_us = 0;  // when the newest piece on its way arrives
    Broker::SubscriptionId subscription = 0;
  };

  void connect();
  void watch();
  void piece(const std::shared_ptr<Connection>& connection, const StoredMessage& stored);
  void end_connection();
  Journal::Reader& seen() { return world_.journal.readers.at(name_); }

  const std::string pattern_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace qiao::sim
