// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/consumer.h"

#include <algorithm>

namespace qiao::sim {
namespace {

constexpr int kTriesMax = 4;
constexpr std::int64_t kWaitMs = 1'000;
constexpr std::int64_t kJoinMs = 300;
constexpr std::uint64_t kAgainMsMax = 500;
constexpr std::uint64_t kWorkMsMax = 400;
constexpr std::int64_t kExtendMs = 1'500;
constexpr std::uint64_t kParkMsMax = 2'000;

bool is_poison(const Message& message) {
  return message.text().starts_with("poison");
}

// The newest message of the lease that its holder knows.
std::uint64_t newest_of(const Delivery& delivery) {
  return delivery.followers.empty() ? delivery.offset : delivery.followers.back().offset;
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
        broker.lease(plan_.group.name, LeaseWish{name_, count, kWaitMs, plan_.capacity},
                     [this, done = std::move(done)](Result<std::vector<Delivery>> deliveries) {
                       if (deliveries) {
                         for (const Delivery& delivery : *deliveries) note(delivery);
                       }
                       done(std::move(deliveries));
                     });
      },
      [this](Result<std::vector<Delivery>> deliveries) { leased(std::move(deliveries)); });
}

void Consumer::note(const Delivery& delivery) {
  tell("is handed " + std::to_string(delivery.offset) + " attempt " +
       std::to_string(delivery.attempt));
  HandedOut entry;
  entry.group = delivery.group;
  entry.conversation = delivery.message.conversation;
  entry.offset = delivery.offset;
  entry.lease = delivery.lease;
  entry.id = delivery.message.id;
  entry.at_ms = world_.agenda.now_us() / 1'000;
  entry.until_ms = entry.at_ms + plan_.group.lease_ms;
  entry.life = world_.server.life();
  entry.latest_ms = world_.clock.latest_ms();
  entry.context_tokens = plan_.capacity.context_tokens;
  for (const StoredMessage& follower : delivery.followers)
    entry.followers.push_back(follower.offset);
  world_.journal.handed_out.push_back(std::move(entry));
}

HandedOut* Consumer::entry_of(const LeaseRef& lease) {
  std::vector<HandedOut>& all = world_.journal.handed_out;
  const auto entry = std::find_if(all.rbegin(), all.rend(), [&](const HandedOut& one) {
    return one.group == lease.group && one.offset == lease.offset && one.lease == lease.lease;
  });
  return entry == all.rend() ? nullptr : &*entry;
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
  if (!settled_ && chance(plan_.parks)) return park(delivery);
  if (!settled_ && chance(0.1)) extend(delivery);
  if (plan_.joins && chance(0.7)) return join(delivery, 1);
  finish(delivery, 1);
}

// Who does not know what has joined asks again, and never acks what it has not seen.
void Consumer::join(const Delivery& delivery, int tries) {
  const LeaseRef lease = lease_of(delivery);
  world_.wire.call<std::vector<StoredMessage>>(
      [lease, after = newest_of(delivery)](Broker& broker,
                                           Broker::Done<std::vector<StoredMessage>> done) {
        broker.join(lease, {kJoinMs, after}, std::move(done));
      },
      [this, delivery, lease, tries](const Result<std::vector<StoredMessage>>& joined) {
        if (joined) {
          Delivery known = delivery;
          HandedOut* const entry = entry_of(lease);
          for (const StoredMessage& follower : *joined) {
            tell("is joined by " + std::to_string(follower.offset));
            known.followers.push_back(follower);
            if (entry != nullptr) entry->followers.push_back(follower.offset);
          }
          return finish(known, 1);
        }
        refused("join", joined.error());
        if (joined.error().code == Code::kConflict) return;
        if (tries >= kTriesMax) return give_back(delivery);
        soon(kAgainMsMax, [this, delivery, tries] { join(delivery, tries + 1); });
      });
}

Commit Consumer::outcome_of(const Delivery& delivery) const {
  Commit commit;
  commit.ack = {lease_of(delivery)};
  commit.ack.front().through = newest_of(delivery);
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
          if (result) acked(lease);
          done(std::move(result));
        });
      },
      [this, delivery, tries](const Result<std::vector<Published>>& done) {
        if (done) return;
        if (done.error().code == Code::kPrecondition) return join(delivery, tries);
        refused("ack", done.error());
        const bool gone = done.error().code == Code::kConflict;
        if (!gone && tries < kTriesMax)
          soon(kAgainMsMax, [this, delivery, tries] { finish(delivery, tries + 1); });
      });
}

void Consumer::acked(const LeaseRef& lease) {
  Journal& journal = world_.journal;
  tell("acked " + std::to_string(lease.offset));
  const bool first =
      journal.group_acked.emplace(GroupOffset{lease.group, lease.offset}, journal.handed_out.size())
          .second;
  if (!first) journal.strange.push_back(name_ + ": acked twice: " + std::to_string(lease.offset));
  HandedOut* const entry = entry_of(lease);
  if (entry == nullptr) return;
  entry->ended = true;
  entry->acked = true;
}

// Half of the failures leave the wait to the group's rules, by a class of error.
Failure Consumer::failure_of(const Message& message) {
  Failure failure;
  failure.reason = "not now";
  failure.counts = is_poison(message) || chance(0.5);
  if (chance(0.5)) {
    failure.error = chance(0.2) ? "refused" : "busy";
  } else {
    failure.delay_ms = 1 + static_cast<std::int64_t>(rng_.below(600));
  }
  return failure;
}

void Consumer::give_back(const Delivery& delivery) {
  world_.wire.call<void>(
      [this, lease = lease_of(delivery), failure = failure_of(delivery.message)](
          Broker& broker, Broker::Done<void> done) {
        // It may go to the next one before its own caller is told.
        HandedOut* const entry = entry_of(lease);
        if (entry != nullptr) entry->ended = true;
        broker.nack(lease, failure, std::move(done));
      },
      [this](const Status& given) {
        if (!given) refused("nack", given.error());
      });
}

void Consumer::park(const Delivery& delivery) {
  const auto rest_ms = 1 + static_cast<std::int64_t>(rng_.below(kParkMsMax));
  world_.wire.call<void>(
      [this, lease = lease_of(delivery), rest_ms](Broker& broker, Broker::Done<void> done) {
        HandedOut* const entry = entry_of(lease);
        if (entry != nullptr) entry->ended = true;
        broker.park(lease, world_.clock.wall_ms() + rest_ms, "approval", std::move(done));
      },
      [this](const Status& parked) {
        // The clock may be set forward, past the end of the rest, before the broker looks.
        if (!parked && parked.error().code != Code::kInvalidArgument)
          refused("park", parked.error());
      });
}

void Consumer::extend(const Delivery& delivery) {
  const LeaseRef lease = lease_of(delivery);
  world_.wire.call<std::int64_t>(
      [this, lease](Broker& broker, Broker::Done<std::int64_t> done) {
        const std::int64_t until_ms = world_.agenda.now_us() / 1'000 + kExtendMs;
        broker.extend(lease, kExtendMs,
                      [this, lease, until_ms, done = std::move(done)](auto until) {
                        HandedOut* const entry = entry_of(lease);
                        if (until && entry != nullptr) entry->until_ms = until_ms;
                        done(std::move(until));
                      });
      },
      [this](const Result<std::int64_t>& until) {
        if (!until) refused("extend", until.error());
      });
}

}  // namespace qiao::sim
