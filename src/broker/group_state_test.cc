// SPDX-License-Identifier: Apache-2.0
#include "broker/group_state.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(group.next_time_ms(), 50);
  EXPECT_EQ(group.ready(50, 9, 9), (Offsets{2, 3, 4}));

  GroupState unordered(spec_of(false));
  for (const broker::Place place : {broker::Place{1, 7}, {2, 7}}) unordered.add(place);
  EXPECT_EQ(unordered.ready(0, 9, 9), (Offsets{1, 2}));
}

TEST(GroupState, TellsWhenLeasesEnd) {
  GroupState group(spec_of(true));
  for (std::uint64_t offset = 1; offset <= 3; ++offset) group.add({offset, 0});
  EXPECT_FALSE(group.next_time_ms().has_value());
  lease(group, 1, 300, "flow/a");
  lease(group, 2, 100, "desk/b");
  EXPECT_EQ(group.next_time_ms(), 100);
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
        both([&](GroupState& g) { g.add(place); });
      } else if (what < 8) {
        const Offsets ready = group.ready(now, next + 1, 1 + rng.below(3));
        for (const std::uint64_t offset : ready) {
          const std::uint32_t attempt = group.attempts(offset) + 1;
          both([&](GroupState& g) { lease(g, offset, now + 50, "ann", attempt); });
        }
      } else {
        const Offsets leased = group.run_out(INT64_MAX);
        for (const std::uint64_t offset : leased) {
          const std::uint64_t fate = rng.below(4);
          const std::int64_t retry = rng.below(2) == 0 ? 0 : now + 30;
          both([&](GroupState& g) {
            if (fate < 2) g.ack(offset, 0);
            if (fate == 2) g.give_back(offset, retry, true);
            if (fate == 3) g.extend(offset, now + 90);
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
      ASSERT_EQ(copy.ready(now, next + 1, 99), group.ready(now, next + 1, 99));
      ASSERT_EQ(copy.next_time_ms(), group.next_time_ms());
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
