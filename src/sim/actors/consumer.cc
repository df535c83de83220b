// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/consumer.h"

namespace qiao::sim {
namespace {

constexpr int kTriesMax = 4;
constexpr std::int64_t kWaitMs = 1'000;
constexpr std::int64_t kJoinMs = 300;
constexpr std::uint64_t kAgainMsMax = 500;
constexpr std::uint64_t kWorkMsMax = 400;
constexpr std::int64_t kExtendMs = 1'500;
constexpr std::uint64_t kParkMsMax = 2'000;
constexpr std::uint64_t kTokensMax = 200;  // that a child asks for

bool is_poison(const Message& message) {
  return message.text().starts_with("poison");
}

// The newest message of the lease that its holder knows.
std::uint64_t newest_of(const Delivery& delivery) {
  return delivery.followers.empty() ? delivery.offset : delivery.followers.back().offset;
}

}  // namespace

void Consumer::lease() {
  const std::size_t count = 1 + rng_.below(3);
  ask({name_, count, kWaitMs, plan_.capacity},
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
  if (is_poison(delivery.message) || (!settled_ && chance(0.1)))
    return give_back(delivery, failure_of(delivery.message));
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
        if (tries >= kTriesMax) return give_back(delivery, failure_of(delivery.message));
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
  if (!plan_.result.empty()) add(plan_.result, group_.name + "/");
  if (plan_.answers && !delivery.message.reply_to.empty())
    add(delivery.message.reply_to, "answer/" + std::to_string(delivery.attempt) + "/");
  add_children(delivery, commit);
  return commit;
}

// The same ones in each attempt: what a limit refuses it refuses for good.
void Consumer::add_children(const Delivery& delivery, Commit& commit) const {
  if (plan_.children_max == 0) return;
  Rng rng(delivery.offset);
  for (std::uint64_t left = rng.below(plan_.children_max + 1); left > 0; --left) {
    Message child = text_message(delivery.message.subject, "work of " + delivery.message.id);
    child.id = group_.name + "/" + std::to_string(delivery.offset) + "/" + std::to_string(left);
    child.cause = delivery.message.id;
    if (rng.below(2) == 0) child.budget.tokens = static_cast<std::int64_t>(rng.below(kTokensMax));
    commit.publish.push_back(std::move(child));
  }
}

// Tries again blindly: a conflict says that it was done, or is somebody else's by now.
void Consumer::finish(const Delivery& delivery, int tries) {
  const LeaseRef lease = lease_of(delivery);
  world_.wire.call<std::vector<Published>>(
      [this, lease, commit = outcome_of(delivery)](Broker& broker,
                                                   Broker::Done<std::vector<Published>> done) {
        broker.commit(commit, [this, lease, done = std::move(done)](auto result) {
          if (result) acked(lease);
          if (!result && result.error().code == Code::kPrecondition && plan_.children_max > 0)
            world_.journal.spent.emplace_back(lease.group, lease.offset);
          done(std::move(result));
        });
      },
      [this, delivery, tries](const Result<std::vector<Published>>& done) {
        if (done) return;
        if (done.error().code == Code::kPrecondition && plan_.children_max > 0)
          return give_back(delivery, {0, true, done.error().message, std::string(kSpentError)});
        if (done.error().code == Code::kPrecondition) return join(delivery, tries);
        refused("ack", done.error());
        const bool gone = done.error().code == Code::kConflict;
        if (!gone && tries < kTriesMax)
          soon(kAgainMsMax, [this, delivery, tries] { finish(delivery, tries + 1); });
      });
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

void Consumer::give_back(const Delivery& delivery, Failure failure) {
  world_.wire.call<void>(
      [this, lease = lease_of(delivery), failure = std::move(failure)](Broker& broker,
                                                                       Broker::Done<void> done) {
        given_back(lease);
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
        given_back(lease);
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
