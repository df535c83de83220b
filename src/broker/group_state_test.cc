// SPDX-License-Identifier: Apache-2.0
#include "broker/group_state.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace qiao {
namespace {

using Offsets = std::vector<std::uint64_t>;

GroupSpec spec_of(bool ordered) {
  GroupSpec spec;
  spec.name = "g";
  spec.pattern = "in";
  spec.ordered = ordered;
  return spec;
}

void lease(GroupState& group, std::uint64_t offset, std::int64_t until_ms,
           const std::string& consumer = "ann", std::uint32_t attempt = 1) {
  group.lease({0, "g", consumer, offset, attempt, until_ms});
}

GroupState copy_of(const GroupState& group) {
  std::string bytes;
  group.save(bytes);
  GroupState copy{GroupSpec{}};
  WireReader in(bytes);
  EXPECT_TRUE(copy.restore(in));
  EXPECT_TRUE(in.at_end());
  return copy;
}

TEST(GroupState, GivesTheOldestThatAreDurable) {
  GroupState group(spec_of(true));
  for (std::uint64_t offset = 10; offset < 15; ++offset) group.add({offset, 0});
  EXPECT_EQ(group.ready(0, 13, 9), (Offsets{10, 11, 12}));
  EXPECT_EQ(group.ready(0, 13, 2), (Offsets{10, 11}));
  EXPECT_EQ(group.waiting_count(), 5U);
  lease(group, 10, 100);
  EXPECT_EQ(group.ready(0, 20, 2), (Offsets{11, 12}));
  EXPECT_EQ(group.leased_count(), 1U);
  EXPECT_EQ(group.oldest(), 10U);
  group.ack(10, 0);
  EXPECT_EQ(group.oldest(), 11U);
  EXPECT_EQ(group.acked_count(), 1U);
}

TEST(GroupState, OneMessageOfAConversationAtATime) {
  GroupState group(spec_of(true));
  for (const broker::Place place : {broker::Place{1, 7}, {2, 7}, {3, 8}, {4, 0}, {5, 7}})
    group.add(place);
  EXPECT_EQ(group.ready(0, 9, 9), (Offsets{1, 3, 4}));
  lease(group, 1, 100);
  EXPECT_EQ(group.ready(0, 9, 9), (Offsets{3, 4}));
  group.ack(1, 0);
  EXPECT_EQ(group.ready(0, 9, 9), (Offsets{2, 3, 4}));
  lease(group, 2, 100);
  group.give_back(2, 50, true);  // rests: the one behind it still waits
  EXPECT_EQ(group.ready(49, 9, 9), (Offsets{3, 4}));
  EXPECT_EQ(group.next_rest_end_ms(), 50);
  EXPECT_EQ(group.ready(50, 9, 9), (Offsets{2, 3, 4}));

  GroupState unordered(spec_of(false));
  for (const broker::Place place : {broker::Place{1, 7}, {2, 7}}) unordered.add(place);
  EXPECT_EQ(unordered.ready(0, 9, 9), (Offsets{1, 2}));
}

TEST(GroupState, TellsWhenLeasesEnd) {
  GroupState group(spec_of(true));
  for (std::uint64_t offset = 1; offset <= 3; ++offset) group.add({offset, 0});
  EXPECT_FALSE(group.next_lease_end_ms().has_value());
  lease(group, 1, 300, "flow/a");
  lease(group, 2, 100, "desk/b");
  EXPECT_EQ(group.next_lease_end_ms(), 100);
  EXPECT_EQ(group.run_out(99), Offsets{});
  EXPECT_EQ(group.run_out(300), (Offsets{2, 1}));
  group.extend(2, 500);
  EXPECT_EQ(group.run_out(300), Offsets{1});
  group.extend(3, 500);  // not leased: nothing
  EXPECT_EQ(group.leased(3), nullptr);
  EXPECT_EQ(group.leased_by("flow/"), Offsets{1});
  ASSERT_NE(group.leased(2), nullptr);
  EXPECT_EQ(group.leased(2)->until_ms, 500);
}

TEST(GroupState, CountsAttempts) {
  GroupState group(spec_of(true));
  group.add({1, 0});
  lease(group, 1, 100, "ann", 1);
  EXPECT_EQ(group.attempts(1), 1U);
  group.give_back(1, 0, true);
  lease(group, 1, 200, "ann", 2);
  group.give_back(1, 0, false);
  EXPECT_EQ(group.attempts(1), 1U);
  EXPECT_EQ(group.leased(1), nullptr);
  group.give_back(1, 0, false);  // not leased: nothing
  EXPECT_EQ(group.attempts(1), 1U);
}

TEST(GroupState, AStartOffsetAheadOfTheLogWaitsForIt) {
  GroupSpec spec = spec_of(true);
  spec.start = {GroupStart::At::kOffset, 12};
  GroupState group(spec);
  for (std::uint64_t offset = 10; offset < 14; ++offset) group.add({offset, 0});
  EXPECT_EQ(group.ready(0, 99, 9), (Offsets{12, 13}));
}

TEST(GroupState, AParkedMessageRestsWithItsLaneAndEatsNoAttempt) {
  GroupState group(spec_of(true));
  for (const broker::Place place : {broker::Place{1, 7}, {2, 7}}) group.add(place);
  lease(group, 1, 100);
  group.park(1, 500, "approval");
  EXPECT_EQ(group.attempts(1), 0U);
  EXPECT_EQ(group.leased_count(), 0U);
  EXPECT_EQ(group.ready(499, 9, 9), Offsets{});
  EXPECT_TRUE(group.is_parked(1, 499));
  ASSERT_EQ(copy_of(group).parked(499).size(), 1U);
  EXPECT_EQ(copy_of(group).parked(499).front().reason, "approval");
  EXPECT_FALSE(group.is_parked(1, 500));
  group.wake(1);
  EXPECT_EQ(group.ready(0, 9, 9), Offsets{1});
  group.wake(1);  // not parked: nothing
  EXPECT_EQ(group.waiting_count(), 2U);
}

TEST(GroupState, FollowersShareTheFateOfTheirHead) {
  GroupSpec spec = spec_of(true);
  spec.busy = Busy::kMerge;
  spec.followers_max = 2;
  GroupState group(spec);
  for (std::uint64_t offset = 1; offset <= 5; ++offset) group.add({offset, 7});
  EXPECT_EQ(group.joinable(1, 0, 3), Offsets{2});  // 3 is not durable
  EXPECT_EQ(group.joinable(1, 0, 9), (Offsets{2, 3}));
  lease(group, 1, 100);
  group.join(1, {2, 3});
  EXPECT_TRUE(group.joinable(1, 0, 9).empty());
  EXPECT_EQ(group.leased_count(), 3U);
  GroupState copy = copy_of(group);
  EXPECT_EQ(copy.followers(1), (Offsets{2, 3}));
  EXPECT_EQ(copy.leased_count(), 3U);
  group.give_back(1, 0, true);
  EXPECT_EQ(group.leased_count(), 0U);
  EXPECT_EQ(group.followers(1), (Offsets{2, 3}));
  group.remove({1}, 6);  // its followers go back to the lane
  EXPECT_EQ(group.ready(0, 9, 9), Offsets{2});
  EXPECT_EQ(group.waiting_count(), 4U);
  copy.ack(1, 6);
  EXPECT_EQ(copy.acked_count(), 3U);
  EXPECT_EQ(copy.ready(0, 9, 9), Offsets{4});
}

// A crash may bring back what was removed: its conversation must not have gone on by then.
TEST(GroupState, WhatIsBehindARemovedOneWaitsUntilTheRemovalIsDurable) {
  for (const bool looked_at : {false, true}) {
    GroupState group(spec_of(true));
    group.add({1, 7});
    group.add({2, 7});
    group.add({3, 8});
    if (looked_at) group.ready(0, 9, 1);
    group.remove({1}, 5);
    EXPECT_EQ(group.ready(0, 5, 9), Offsets{3});
    EXPECT_EQ(group.ready(0, 6, 9), (Offsets{2, 3}));
  }
}

TEST(GroupState, HigherPriorityFirstAndTheOldestAtLast) {
  GroupState group(spec_of(true));
  group.add({1, 0}, {0, 0, 0});
  for (std::uint64_t offset = 2; offset < 60; ++offset) group.add({offset, 0}, {0, 0, 9});
  const Offsets order = group.ready(0, 99, 40);
  EXPECT_EQ(order.front(), 2U);
  EXPECT_EQ(order.at(broker::ReadyQueue::kPassedOverMax), 1U);
  for (const std::uint64_t offset : Offsets(order.begin(), order.begin() + 16))
    lease(group, offset, 100);
  EXPECT_EQ(group.ready(0, 99, 1), Offsets{1});  // one after another gives the same order
}

TEST(GroupState, ADelayHoldsBackWhatIsBehindIt) {
  GroupState group(spec_of(true));
  group.add({1, 7}, {50, 0, 4});
  group.add({2, 7});
  group.add({3, 8});
  EXPECT_EQ(group.ready(49, 9, 9), Offsets{3});
  EXPECT_EQ(group.next_rest_end_ms(), 50);
  EXPECT_EQ(copy_of(group).ready(50, 9, 9), (Offsets{1, 3}));
}

// Snapshots of the version before had neither facts nor followers nor parks.
TEST(GroupState, TheFormBeforeIsRead) {
  std::string bytes;
  put_bytes(bytes, encode(Record(record::GroupCreated{0, spec_of(true)})).bytes);
  for (const std::uint64_t value : {6, 1, 10, 7, 2}) put_varint(bytes, value);  // one was touched
  put_signed(bytes, 100);
  put_signed(bytes, 0);
  put_bytes(bytes, "ann");
  for (const std::uint64_t value : {1, 11, 7}) put_varint(bytes, value);  // one was not
  GroupState group{GroupSpec{}};
  WireReader in(bytes);
  ASSERT_TRUE(group.restore(in, 2));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(group.acked_count(), 6U);
  EXPECT_EQ(group.waiting_count(), 1U);
  EXPECT_EQ(group.run_out(100), Offsets{10});
  group.ack(10, 12);
  EXPECT_EQ(group.ready(0, 99, 9), Offsets{11});
}

// Those of version 3 had no receipts and no names of leases: a caller that gives none still ends
// them.
TEST(GroupState, TheFormWithoutReceiptsAndNamesOfLeasesIsRead) {
  std::string bytes;
  put_bytes(bytes, encode(Record(record::GroupCreated{0, spec_of(true)})).bytes);
  for (const std::uint64_t value : {6, 0, 1, 10, 7, 2}) put_varint(bytes, value);
  put_signed(bytes, 100);
  put_signed(bytes, 0);
  put_bytes(bytes, "ann");
  for (const std::uint64_t value : {0, 1, 1, 0}) put_varint(bytes, value);  // one follower
  GroupState group{GroupSpec{}};
  WireReader in(bytes);
  ASSERT_TRUE(group.restore(in, 3));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(group.run_out(100), Offsets{10});
  EXPECT_EQ(group.attempts(10), 2U);
  EXPECT_TRUE(group.receipts().of(10).empty());
  ASSERT_NE(group.leased(10), nullptr);
  EXPECT_EQ(group.leased(10)->lease, 0U);
  EXPECT_EQ(group.leased(10)->consumer, "ann");
  EXPECT_EQ(group.followers(10), Offsets{11});
}

// A crash could take it back, and with it what was done by it.
TEST(GroupState, IsReadyWhenItsReceiptsAreDurable) {
  GroupState group(spec_of(true));
  group.add({1, 7});
  lease(group, 1, 100);
  group.receipt({0, "g", 1, "model.1", "text"}, 5);
  group.give_back(1, 0, false);
  EXPECT_EQ(group.ready(0, 5, 9), Offsets{});
  EXPECT_EQ(copy_of(group).ready(0, 6, 9), Offsets{1});
  ASSERT_EQ(copy_of(group).receipts().of(1).size(), 1U);
}

TEST(GroupState, ALeaseKeepsItsNameUntilItEnds) {
  GroupState group(spec_of(true));
  group.add({1, 0});
  group.lease({0, "g", "ann", 1, 1, 100, 77});
  ASSERT_NE(group.leased(1), nullptr);
  EXPECT_EQ(group.leased(1)->lease, 77U);
  GroupState copy = copy_of(group);
  EXPECT_EQ(copy.leased(1)->lease, 77U);
  copy.give_back(1, 0, false);
  copy.lease({0, "g", "bob", 1, 1, 100, 78});
  EXPECT_EQ(copy.leased(1)->lease, 78U);
}

// Random work on a group and on copies through save and restore: they must go on alike, and what
// was only looked at must not show.
TEST(GroupState, ASavedGroupGoesOnAsTheOriginal) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    GroupState group(spec_of(seed % 2 == 0));
    GroupState unseen(spec_of(seed % 2 == 0));  // the same records, ready() never called
    std::uint64_t next = 0;
    std::int64_t now = 1'000;
    const auto both = [&](auto&& change) {
      change(group);
      change(unseen);
    };
    for (int step = 0; step < 300; ++step) {
      const std::uint64_t what = rng.below(10);
      if (what < 5) {
        next += 1 + rng.below(2);
        const broker::Place place{next, rng.below(5)};
        broker::Facts facts;
        if (rng.below(4) == 0) facts.priority = static_cast<std::uint8_t>(rng.below(10));
        if (rng.below(8) == 0) facts.deliver_at_ms = now + 20;
        both([&](GroupState& g) { g.add(place, facts); });
      } else if (what < 8) {
        const Offsets ready = group.ready(now, next + 1, 1 + rng.below(3));
        for (const std::uint64_t offset : ready) {
          const std::uint32_t attempt = group.attempts(offset) + 1;
          both([&](GroupState& g) { lease(g, offset, now + 50, "ann", attempt); });
        }
      } else {
        const Offsets leased = group.run_out(INT64_MAX);
        for (const std::uint64_t offset : leased) {
          const Offsets joining = group.joinable(offset, now, next + 1);
          if (rng.below(2) == 0) both([&](GroupState& g) { g.join(offset, joining); });
          const std::uint64_t fate = rng.below(5);
          const std::int64_t retry = rng.below(2) == 0 ? 0 : now + 30;
          if (rng.below(2) == 0) {
            const record::Receipt receipt{now, "g", offset, "s" + std::to_string(rng.below(3)), ""};
            both([&](GroupState& g) { g.receipt(receipt, next + 1); });
          }
          both([&](GroupState& g) {
            if (fate < 2) g.ack(offset, 0);
            if (fate == 2) g.give_back(offset, retry, true);
            if (fate == 3) g.extend(offset, now + 90);
            if (fate == 4) g.park(offset, now + 60, "why");
            if (fate == 4 && retry == 0) g.wake(offset);
          });
        }
        now += static_cast<std::int64_t>(rng.below(40));
      }
      GroupState copy = copy_of(group);
      std::string bytes;
      std::string copy_bytes;
      std::string unseen_bytes;
      group.save(bytes);
      copy.save(copy_bytes);
      unseen.save(unseen_bytes);
      ASSERT_EQ(bytes, copy_bytes) << "seed " << seed << " step " << step;
      ASSERT_EQ(bytes, unseen_bytes) << "seed " << seed << " step " << step;
      ASSERT_EQ(copy.waiting_count(), group.waiting_count());
      ASSERT_EQ(copy.leased_count(), group.leased_count());
      ASSERT_EQ(copy.oldest(), group.oldest());
      if (step % 10 != 0) continue;
      Offsets copied = copy.ready(now, next + 1, 999);  // it does not know who was passed over
      Offsets original = group.ready(now, next + 1, 999);
      std::sort(copied.begin(), copied.end());
      std::sort(original.begin(), original.end());
      ASSERT_EQ(copied, original);
      ASSERT_EQ(copy.next_rest_end_ms(), group.next_rest_end_ms());
    }
  }
}

TEST(GroupState, CutOffBytesAreRefused) {
  GroupState group(spec_of(true));
  for (std::uint64_t offset = 1; offset <= 9; ++offset) group.add({offset, offset % 3});
  lease(group, 1, 100);
  std::string bytes;
  group.save(bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    GroupState cut{GroupSpec{}};
    WireReader in(std::string_view(bytes).substr(0, length));
    EXPECT_FALSE(cut.restore(in)) << length;
  }
}

}  // namespace
}  // namespace qiao
