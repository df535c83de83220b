// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/group_member.h"

#include <algorithm>

namespace qiao::sim {
namespace {

constexpr std::uint64_t kAgainMsMax = 500;

}  // namespace

void GroupMember::start() {
  Journal& journal = world_.journal;
  journal.groups.insert(group_.name);
  if (group_.ordered) journal.ordered_groups.insert(group_.name);
  make_group();
}

void GroupMember::make_group() {
  world_.wire.call<void>(
      [this](Broker& broker, Broker::Done<void> done) {
        broker.create_group(group_, std::move(done));
      },
      [this](const Status& made) {
        if (made) return lease();
        refused("create_group", made.error());
        soon(kAgainMsMax, [this] { make_group(); });
      });
}

void GroupMember::ask(const LeaseWish& wish, Broker::Done<std::vector<Delivery>> answer) {
  world_.wire.call<std::vector<Delivery>>(
      [this, wish](Broker& broker, Broker::Done<std::vector<Delivery>> done) {
        broker.lease(group_.name, wish,
                     [this, wish, done = std::move(done)](Result<std::vector<Delivery>> given) {
                       if (given) {
                         for (const Delivery& delivery : *given) note(delivery, wish.capacity);
                       }
                       done(std::move(given));
                     });
      },
      std::move(answer));
}

void GroupMember::note(const Delivery& delivery, const Capacity& capacity) {
  tell("is handed " + std::to_string(delivery.offset) + " attempt " +
       std::to_string(delivery.attempt));
  HandedOut entry;
  entry.group = delivery.group;
  entry.conversation = delivery.message.conversation;
  entry.offset = delivery.offset;
  entry.lease = delivery.lease;
  entry.id = delivery.message.id;
  entry.at_ms = world_.agenda.now_us() / 1'000;
  entry.until_ms = entry.at_ms + group_.lease_ms;
  entry.life = world_.server.life();
  entry.latest_ms = world_.clock.latest_ms();
  entry.context_tokens = capacity.context_tokens;
  for (const StoredMessage& follower : delivery.followers)
    entry.followers.push_back(follower.offset);
  entry.receipts = delivery.receipts;
  world_.journal.handed_out.push_back(std::move(entry));
}

HandedOut* GroupMember::entry_of(const LeaseRef& lease) {
  std::vector<HandedOut>& all = world_.journal.handed_out;
  const auto entry = std::find_if(all.rbegin(), all.rend(), [&](const HandedOut& one) {
    return one.group == lease.group && one.offset == lease.offset && one.lease == lease.lease;
  });
  return entry == all.rend() ? nullptr : &*entry;
}

void GroupMember::acked(const LeaseRef& lease) {
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

void GroupMember::given_back(const LeaseRef& lease) {
  if (HandedOut* const entry = entry_of(lease)) entry->ended = true;
}

}  // namespace qiao::sim
