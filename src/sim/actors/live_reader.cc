// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/live_reader.h"

#include <algorithm>

namespace qiao::sim {
namespace {

constexpr std::int64_t kWatchMs = 250;
constexpr std::uint64_t kTravelUsMax = 20'000;

}  // namespace

void LiveReader::start() {
  world_.journal.readers[name_] = {pattern_, 0, true, {}};
  connect();
  watch();
}

std::string LiveReader::unfinished() const {
  return connection_ ? "" : "it is not connected";
}

void LiveReader::connect() {
  if (!world_.server.is_up()) return;
  const auto connection = std::make_shared<Connection>();
  connection->life = world_.server.life();
  const auto& received = seen().received;
  const std::uint64_t from = received.empty() ? 0 : received.back().offset + 1;
  tell("reads from " + std::to_string(from));
  connection->subscription = world_.server.broker().subscribe(
      pattern_, from,
      [this, connection](const StoredMessage& stored) { piece(connection, stored); });
  connection_ = connection;
}

void LiveReader::piece(const std::shared_ptr<Connection>& connection, const StoredMessage& stored) {
  const auto travel = static_cast<std::int64_t>(rng_.below(kTravelUsMax));
  connection->last_us = std::max(connection->last_us, world_.agenda.now_us() + travel);
  world_.agenda.after_us(connection->last_us - world_.agenda.now_us(),
                         [this, connection, offset = stored.offset, id = stored.message.id] {
                           if (!connection->open) return;
                           tell("reads " + std::to_string(offset));
                           seen().received.push_back({offset, id});
                         });
}

void LiveReader::end_connection() {
  if (world_.server.is_up() && world_.server.life() == connection_->life)
    world_.server.broker().unsubscribe(connection_->subscription);
  connection_->open = false;
  connection_.reset();
}

void LiveReader::watch() {
  const bool dead =
      connection_ && (!world_.server.is_up() || world_.server.life() != connection_->life);
  if (dead || (connection_ && world_.faults.strikes(Fault::kStreamCut))) end_connection();
  if (!connection_) connect();
  world_.agenda.after_ms(kWatchMs, [this] { watch(); });
}

}  // namespace qiao::sim
