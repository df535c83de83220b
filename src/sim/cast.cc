// SPDX-License-Identifier: Apache-2.0
// Who plays in a run, and what.
#include "sim/actor.h"
#include "sim/actors/consumer.h"
#include "sim/actors/keeper.h"
#include "sim/actors/live_reader.h"
#include "sim/actors/pager.h"
#include "sim/actors/publisher.h"
#include "sim/actors/requester.h"
#include "sim/actors/rival.h"
#include "sim/actors/stepper.h"
#include "sim/actors/stream_reader.h"
#include "sim/actors/undertaker.h"
#include "sim/actors/waker.h"
#include "sim/sim_flow.h"

namespace qiao::sim {
namespace {

using Cast = std::vector<std::unique_ptr<Actor>>;

constexpr double kPoisonShare = 0.08;
constexpr double kLongShare = 0.15;
constexpr std::uint64_t kContextTokens = 8;

std::string numbered(std::string_view name, std::uint64_t number) {
  return std::string(name) + std::to_string(number);
}

GroupSpec group_spec(std::string name, std::string pattern, bool ordered) {
  GroupSpec spec;
  spec.name = std::move(name);
  spec.pattern = std::move(pattern);
  spec.start.at = GroupStart::At::kOldest;
  spec.lease_ms = 800;
  spec.attempts_max = 6;
  spec.ordered = ordered;
  return spec;
}

// Its failures wait, and classes of them have rules of their own.
GroupSpec with_rules(GroupSpec spec) {
  spec.backoff = {40, 300};
  spec.rules = {{"busy", 8, {100, 1'000}}, {"refused", 1, {}}, {"expired", 7, {}}};
  return spec;
}

std::vector<std::string> make_texts(Rng& rng, std::uint64_t count) {
  std::vector<std::string> texts;
  for (; count > 0; --count) {
    texts.push_back((rng.unit() < kPoisonShare ? "poison " : "work ") + std::to_string(count));
    if (rng.unit() < kLongShare) texts.back().append(" that takes many tokens to tell");
  }
  return texts;
}

void add_publishers(Cast& cast, World& world, Rng& rng) {
  const std::uint64_t count = 2 + rng.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    PublisherPlan plan;
    plan.subject = rng.below(2) == 0 ? "in.a" : "in.b";
    plan.conversation = numbered("lane", i);
    plan.texts = make_texts(rng, 4 + rng.below(10));
    plan.ranked = rng.below(2) == 0;
    plan.delayed = rng.below(2) == 0 ? 0.15 : 0;
    cast.push_back(
        std::make_unique<Publisher>(world, numbered("publisher", i), rng.next(), std::move(plan)));
  }
}

// The first consumer can take anything; some of the others tell what they can, but where the order
// of priorities is checked.
void add_group(Cast& cast, World& world, Rng& rng, ConsumerPlan plan) {
  const std::uint64_t count = 1 + rng.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0 && plan.group.ordered && rng.below(2) == 0) plan.capacity = {20, kContextTokens};
    cast.push_back(
        std::make_unique<Consumer>(world, numbered(plan.group.name + "/", i), rng.next(), plan));
  }
}

// People who talk while their conversation is at work, one group for each policy.
void add_talk(Cast& cast, World& world, Rng& rng, Busy busy) {
  const std::string name(name_of(busy));
  ConsumerPlan plan{with_rules(group_spec(name, "talk." + name, true))};
  plan.group.busy = busy;
  plan.group.followers_max = 3;
  plan.joins = busy == Busy::kSteer || busy == Busy::kMerge;
  plan.parks = 0.1;
  add_group(cast, world, rng, std::move(plan));
  cast.push_back(std::make_unique<Waker>(world, name + "/waker", rng.next(), name));
  for (std::uint64_t i = 0; i < 2; ++i) {
    PublisherPlan talk{"talk." + name, name + numbered("-talk", i), make_texts(rng, 5), 700};
    talk.delayed = busy == Busy::kReject ? 0 : 0.1;
    cast.push_back(std::make_unique<Publisher>(world, name + numbered("-caller", i), rng.next(),
                                               std::move(talk)));
  }
}

std::string words_for_flow(Rng& rng) {
  switch (rng.below(4)) {
    case 0:
      return "I want to buy it, order QX20260101";
    case 1:
      return "where is order QX2026010" + std::to_string(rng.below(10));
    case 2:
      return "give me a person";
    default:
      return "hello, how are you today";
  }
}

void add_users(Cast& cast, World& world, Rng& rng) {
  const std::uint64_t count = 1 + rng.below(2);
  for (std::uint64_t i = 0; i < count; ++i) {
    PublisherPlan plan{kFlowInput, numbered("chat", i), {}, 3'000};
    std::vector<std::string> ids;
    const std::string name = numbered("user", i);
    for (std::uint64_t k = 3 + rng.below(4); k > 0; --k) {
      ids.push_back(name + "-" + std::to_string(plan.texts.size()));
      plan.texts.push_back(words_for_flow(rng));
    }
    cast.push_back(std::make_unique<StreamReader>(world, numbered("page", i), rng.next(), ids));
    cast.push_back(std::make_unique<Publisher>(world, name, rng.next(), std::move(plan)));
  }
  world.journal.groups.insert(kFlowGroup);
  world.journal.groups.insert(std::string(kFlowGroup) + ".replies");
}

// Work in steps, each with an effect and a receipt.
void add_steps(Cast& cast, World& world, Rng& rng) {
  for (std::uint64_t i = 0; i < 2; ++i) {
    PublisherPlan plan{"steps.in", numbered("steps", i), make_texts(rng, 3), 2'500};
    cast.push_back(
        std::make_unique<Publisher>(world, numbered("foreman", i), rng.next(), std::move(plan)));
    GroupSpec group = with_rules(group_spec("steps", "steps.in", true));
    group.attempts_max = 12;
    cast.push_back(
        std::make_unique<Stepper>(world, numbered("steps/", i), rng.next(), std::move(group)));
  }
}

// Topics that are not kept for ever, so that the log is trimmed; some are worked on meanwhile.
void add_kept(Cast& cast, World& world, Rng& rng) {
  for (const char* subject : {"keep.a", "keep.b"}) {
    TopicSpec most{subject, 4'000, 6, 80, true, 0, true};
    cast.push_back(std::make_unique<Keeper>(world, std::string(subject) + "/keeper", rng.next(),
                                            std::move(most)));
    PublisherPlan plan{subject, subject, make_texts(rng, 12), 1'000};
    plan.keys = 3;
    cast.push_back(std::make_unique<Publisher>(world, std::string(subject) + "/publisher",
                                               rng.next(), std::move(plan)));
  }
  if (rng.below(2) == 0) {
    ConsumerPlan plan{with_rules(group_spec("keep", "keep.>", rng.below(2) == 0))};
    plan.parks = 0.1;
    add_group(cast, world, rng, std::move(plan));
  }
  cast.push_back(std::make_unique<Keeper>(world, "keeper", rng.next(),
                                          TopicSpec{">", 4'000, 30, 0, false, 0, false}));
}

// Several who write to one conversation.
void add_rivals(Cast& cast, World& world, Rng& rng) {
  for (std::uint64_t i = 2 + rng.below(2); i > 0; --i) {
    RivalPlan plan{"race.a", numbered("race", rng.below(2)), 3};
    cast.push_back(
        std::make_unique<Rival>(world, numbered("rival", i), rng.next(), std::move(plan)));
  }
}

// More than a group may have open.
void add_crowd(Cast& cast, World& world, Rng& rng) {
  ConsumerPlan plan{with_rules(group_spec("crowd", "crowd.*", true))};
  plan.group.backlog_max = 2 + rng.below(4);
  add_group(cast, world, rng, std::move(plan));
  for (std::uint64_t i = 0; i < 3; ++i) {
    PublisherPlan talk{"crowd.a", numbered("crowd", i), make_texts(rng, 6), 300};
    cast.push_back(
        std::make_unique<Publisher>(world, numbered("crowd/", i), rng.next(), std::move(talk)));
  }
  if (rng.below(2) == 0)
    cast.push_back(std::make_unique<Keeper>(world, "crowd/keeper", rng.next(),
                                            TopicSpec{"crowd.a", 0, 0, 0, false, 4, false}));
}

// Messages that cause others, until what they may spend is spent.
void add_relay(Cast& cast, World& world, Rng& rng) {
  ConsumerPlan plan{with_rules(group_spec("relay", "relay.in", rng.below(2) == 0))};
  plan.children_max = 2;
  add_group(cast, world, rng, std::move(plan));
  PublisherPlan roots{"relay.in", "", make_texts(rng, 4), 2'000};
  roots.limited = true;
  cast.push_back(std::make_unique<Publisher>(world, "relay/root", rng.next(), std::move(roots)));
}

// About half of them in each run, so that it stays short and rare mixtures come up.
void add_some(Cast& cast, World& world, Rng& rng) {
  for (const auto add : {add_steps, add_kept, add_rivals, add_crowd, add_relay}) {
    if (rng.below(2) == 0) add(cast, world, rng);
  }
}

}  // namespace

std::vector<std::unique_ptr<Actor>> make_cast(World& world, std::uint64_t seed) {
  Rng rng(seed);
  Cast cast;
  add_publishers(cast, world, rng);
  add_group(cast, world, rng, {with_rules(group_spec("work", "in.>", true)), "done.work", false});
  if (rng.below(2) == 0)
    add_group(cast, world, rng, {group_spec("audit", "in.a", false), "", false});
  const auto first = rng.below(4);
  for (const std::uint64_t policy : {first, (first + 1 + rng.below(3)) % 4})
    add_talk(cast, world, rng, static_cast<Busy>(policy + 1));
  add_group(cast, world, rng, {group_spec("service", "svc.q", false), "", true});
  add_group(cast, world, rng, {group_spec("desk", kFlowDesk, true), "", true});
  cast.push_back(std::make_unique<Requester>(world, "caller", rng.next(), "svc.q",
                                             1 + static_cast<int>(rng.below(4))));
  add_users(cast, world, rng);
  add_some(cast, world, rng);
  cast.push_back(std::make_unique<Undertaker>(world, "undertaker", rng.next(), "dead.>"));
  cast.push_back(std::make_unique<LiveReader>(world, "reader0", rng.next(), "in.>"));
  cast.push_back(std::make_unique<LiveReader>(world, "reader1", rng.next(), ">"));
  cast.push_back(std::make_unique<Pager>(world, "pager", rng.next(), "*.*"));
  return cast;
}

}  // namespace qiao::sim
