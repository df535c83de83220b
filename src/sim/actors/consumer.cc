// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/consumer.h"

#include <algorithm>

namespace qiao::sim {
namespace {

constexpr int kAckTriesMax = 4;
constexpr std::int64_t kWaitMs = 1'000;
constexpr std::uint64_t kAgainMsMax = 500;
constexpr std::uint64_t kWorkMsMax = 400;
constexpr std::int64_t kExtendMs = 1'500;

bool is_poison(const Message& message) {
  return message.text().starts_with("poison");
}

HandedOut entry_of(const Delivery& delivery, std::int64_t lease_ms, const World& world) {
  HandedOut entry;
  entry.group = delivery.group;
  entry.conversation = delivery.message.conversation;
  entry.offset = delivery.offset;
  entry.lease = delivery.lease;
  entry.id = delivery.message.id;
  entry.at_ms = world.agenda.now_us() / 1'000;
  entry.until_ms = entry.at_ms + lease_ms;
  entry.life = world.server.life();
  return entry;
}

// The newest entry of this lease, as the broker handed it out.
HandedOut* find(Journal& journal, const LeaseRef& lease) {
  const auto entry =
      std::find_if(journal.handed_out.rbegin(), journal.handed_out.rend(), [&](const auto& one) {
        return one.group == lease.group && one.offset == lease.offset && one.lease == lease.lease;
      });
  return entry == journal.handed_out.rend() ? nullptr : &*entry;
}

}  // namespace

void Consumer::start() {
  Journal& journal = world_.journal;
  journal.groups.insert(plan_.group.name);
  if (plan_.group.ordered) journal.ordered_groups.insert(plan_.group.name);
  make_group();
}

void Consumer::make_group() {
  world_.wire.call<void>(
      [spec = plan_.group](Broker& broker, Broker::Done<void> done) {
        broker.create_group(spec, std::move(done));
      },
      [this](const Status& made) {
        if (made) return lease();
        refused("create_group", made.error());
        soon(kAgainMsMax, [this] { make_group(); });
      });
}

// What the broker hands out counts from the moment it does, received or not.
void Consumer::lease() {
  const std::size_t count = 1 + rng_.below(3);
  world_.wire.call<std::vector<Delivery>>(
      [this, count](Broker& broker, Broker::Done<std::vector<Delivery>> done) {
        broker.lease(
            plan_.group.name, name_, count, kWaitMs,
            [this, done = std::move(done)](Result<std::vector<Delivery>> deliveries) {
              for (const Delivery& delivery : deliveries ? *deliveries : std::vector<Delivery>()) {
                tell("is handed " + std::to_string(delivery.offset) + " attempt " +
                     std::to_string(delivery.attempt));
                world_.journal.handed_out.push_back(
                    entry_of(delivery, plan_.group.lease_ms, world_));
              }
              done(std::move(deliveries));
            });
      },
      [this](Result<std::vector<Delivery>> deliveries) { leased(std::move(deliveries)); });
}

void Consumer::leased(Result<std::vector<Delivery>> deliveries) {
  if (!deliveries) {
    refused("lease", deliveries.error());
    return soon(kAgainMsMax, [this] { lease(); });
  }
  taken_.assign(deliveries->begin(), deliveries->end());
  work();
}

void Consumer::work() {
  if (taken_.empty()) return soon(settled_ ? 20 : 100, [this] { lease(); });
  if (world_.faults.strikes(Fault::kConsumerVanished)) {
    taken_.clear();
    return soon(3'000, [this] { lease(); });
  }
  soon(settled_ ? 20 : kWorkMsMax, [this] {
    const Delivery delivery = std::move(taken_.front());
    taken_.pop_front();
    handle(delivery);
    work();
  });
}

void Consumer::handle(const Delivery& delivery) {
  if (is_poison(delivery.message) || (!settled_ && chance(0.1))) return give_back(delivery);
  if (!settled_ && chance(0.1)) extend(delivery);
  finish(delivery, 1);
}

Commit Consumer::outcome_of(const Delivery& delivery) const {
  Commit commit;
  commit.ack = {lease_of(delivery)};
  const auto add = [&](const std::string& subject, const std::string& prefix) {
    Message result = text_message(subject, "result of " + delivery.message.text(),
                                  delivery.message.conversation);
    result.id = prefix + delivery.message.id;
    result.cause = delivery.message.id;
    result.correlation = delivery.message.id;
    result.headers["x-done"] = "true";  // a person gives the conversation back to the flow
    commit.publish.push_back(std::move(result));
  };
  if (!plan_.result.empty()) add(plan_.result, plan_.group.name + "/");
  if (plan_.answers && !delivery.message.reply_to.empty())
    add(delivery.message.reply_to, "answer/" + std::to_string(delivery.attempt) + "/");
  return commit;
}

// Tries again blindly: a conflict says that it was done, or is somebody else's by now.
void Consumer::finish(const Delivery& delivery, int tries) {
  const LeaseRef lease = lease_of(delivery);
  world_.wire.call<std::vector<Published>>(
      [this, lease, commit = outcome_of(delivery)](Broker& broker,
                                                   Broker::Done<std::vector<Published>> done) {
        broker.commit(commit, [this, lease, done = std::move(done)](auto result) {
          if (result) {
            Journal& journal = world_.journal;
            tell("acked " + std::to_string(lease.offset));
            if (!journal.group_acked
                     .emplace(GroupOffset{lease.group, lease.offset}, journal.handed_out.size())
                     .second)
              journal.strange.push_back(name_ + ": acked twice: " + std::to_string(lease.offset));
            if (HandedOut* const entry = find(journal, lease)) entry->ended = true;
          }
          done(std::move(result));
        });
      },
      [this, delivery, tries](const Result<std::vector<Published>>& done) {
        if (done) return;
        refused("ack", done.error());
        const bool gone = done.error().code == Code::kConflict;
        if (!gone && tries < kAckTriesMax)
          soon(kAgainMsMax, [this, delivery, tries] { finish(delivery, tries + 1); });
      });
}

void Consumer::give_back(const Delivery& delivery) {
  const LeaseRef lease = lease_of(delivery);
  const std::int64_t delay_ms = chance(0.5) ? 0 : static_cast<std::int64_t>(rng_.below(600));
  const bool counts = is_poison(delivery.message) || chance(0.5);
  world_.wire.call<void>(
      [this, lease, delay_ms, counts](Broker& broker, Broker::Done<void> done) {
        // It may go to the next one before its own caller is told.
        HandedOut* const entry = find(world_.journal, lease);
        if (entry != nullptr) entry->ended = true;
        broker.nack(lease, delay_ms, counts, "not now", std::move(done));
      },
      [this](const Status& given) {
        if (!given) refused("nack", given.error());
      });
}

void Consumer::extend(const Delivery& delivery) {
  const LeaseRef lease = lease_of(delivery);
  world_.wire.call<std::int64_t>(
      [this, lease](Broker& broker, Broker::Done<std::int64_t> done) {
        const std::int64_t until_ms = world_.agenda.now_us() / 1'000 + kExtendMs;
        broker.extend(lease, kExtendMs,
                      [this, lease, until_ms, done = std::move(done)](auto until) {
                        HandedOut* const entry = find(world_.journal, lease);
                        if (until && entry != nullptr) entry->until_ms = until_ms;
                        done(std::move(until));
                      });
      },
      [this](const Result<std::int64_t>& until) {
        if (!until) refused("extend", until.error());
      });
}

}  // namespace qiao::sim
