// SPDX-License-Identifier: Apache-2.0
#include "broker/state.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "broker/retention.h"

namespace qiao {
namespace {

using Offsets = std::vector<std::uint64_t>;

Record published(const std::string& id, const std::string& subject,
                 const std::string& conversation = {}) {
  Message message = text_message(subject, "text", conversation);
  message.id = id;
  return record::Published{message};
}

Record group_made(const std::string& name, const std::string& pattern,
                  GroupStart::At at = GroupStart::At::kOldest) {
  record::GroupCreated created;
  created.spec.name = name;
  created.spec.pattern = pattern;
  created.spec.start.at = at;
  return created;
}

TEST(State, FindsMessagesBySubjectAndPattern) {
  State state(100);
  for (std::uint64_t i = 0; i < 9; ++i)
    state.apply(i, published("m" + std::to_string(i), i % 3 == 0 ? "a.x" : "a.y"));
  state.apply(9, published("m9", "_inbox.1"));
  EXPECT_EQ(state.find("a.x", 0, 10), (Offsets{0, 3, 6}));
  EXPECT_EQ(state.find("a.x", 1, 1), Offsets{3});
  EXPECT_EQ(state.find("a.*", 4, 3), (Offsets{4, 5, 6}));
  EXPECT_EQ(state.find(">", 7, 10), (Offsets{7, 8}));
  EXPECT_TRUE(state.find("b", 0, 10).empty());
  EXPECT_TRUE(state.find("_inbox.1", 0, 10).empty());
  EXPECT_EQ(state.topics().size(), 2U);
  EXPECT_EQ(state.topics().at("a.y").count(), 6U);
}

TEST(State, RemembersIdsWithinTheWindow) {
  State state(2);
  for (std::uint64_t i = 0; i < 3; ++i) state.apply(i, published("m" + std::to_string(i), "a"));
  EXPECT_FALSE(state.offset_hint("m0").has_value());
  EXPECT_EQ(state.offset_hint("m1"), 1U);
  EXPECT_EQ(state.offset_hint("m2"), 2U);
}

TEST(State, GroupsSeeTheirPatternFromTheirStart) {
  State state(100);
  state.apply(0, published("m0", "a.x"));
  state.apply(1, published("m1", "b"));
  state.apply(2, group_made("old", "a.>"));
  state.apply(3, group_made("new", "a.>", GroupStart::At::kNow));
  state.apply(4, published("m4", "a.y"));
  EXPECT_EQ(state.group("old")->ready(0, 99, 9), (Offsets{0, 4}));
  EXPECT_EQ(state.group("new")->ready(0, 99, 9), Offsets{4});
  EXPECT_TRUE(state.any_group_matches("a.z"));
  EXPECT_FALSE(state.any_group_matches("b"));
  state.apply(5, record::GroupDeleted{0, "old"});
  state.apply(6, record::GroupDeleted{0, "new"});
  state.apply(7, record::GroupDeleted{0, "never"});
  EXPECT_FALSE(state.any_group_matches("a.z"));
  state.apply(8, published("m8", "a.y"));
  EXPECT_EQ(state.group("old"), nullptr);
}

TEST(State, RecordsOfUnknownGroupsAreHarmless) {
  State state(10);
  state.apply(0, record::Leased{0, "g", "ann", 7, 1, 100});
  state.apply(1, record::Acked{0, "g", 7});
  state.apply(2, record::Nacked{0, "g", 7, 0, true, ""});
  state.apply(3, record::Extended{0, "g", 7, 1});
  state.apply(4, record::Expired{0, "g", 7, 0});
  state.apply(5, record::Receipt{0, "g", 7, "model.1", "text"});
  state.apply(6, record::Event{});
  State empty(10);
  EXPECT_EQ(state.save(), empty.save());
}

// The same records give the same state: replayed whole, or from any snapshot on.
TEST(State, ReplayFromAnySnapshotGivesTheSameState) {
  Rng rng(5);
  std::vector<Record> records = {group_made("g", "in.>"), group_made("h", "in.1")};
  State live(50);
  for (std::uint64_t i = 0; i < records.size(); ++i) live.apply(i, records[i]);
  const auto apply = [&](Record record) {
    live.apply(records.size(), record);
    records.push_back(std::move(record));
  };
  for (int step = 0; step < 400; ++step) {
    const std::string name = rng.below(2) == 0 ? "g" : "h";
    GroupState& group = *live.group(name);
    const std::uint64_t what = rng.below(8);
    if (what < 4) {
      apply(published("m" + std::to_string(step), "in." + std::to_string(rng.below(3)),
                      "c" + std::to_string(rng.below(4))));
    } else if (what < 6) {
      for (const std::uint64_t offset : group.ready(step, records.size(), 2))
        apply(record::Leased{step, name, "ann", offset, group.attempts(offset) + 1, step + 20});
    } else {
      for (const std::uint64_t offset : group.run_out(step + 15)) {
        if (rng.below(3) == 0) apply(record::Receipt{step, name, offset, "model.1", "text"});
        if (rng.below(2) == 0) {
          apply(record::Acked{step, name, offset});
        } else {
          apply(record::Nacked{step, name, offset, step + 5, true, ""});
        }
      }
    }
  }
  const std::string expected = live.save();
  for (std::size_t at = 0; at < records.size(); at += 23) {
    State before(50, 1);
    for (std::size_t i = 0; i < at; ++i) before.apply(i, records[i]);
    State after(50, 2);
    ASSERT_TRUE(after.restore(before.save()));
    for (std::size_t i = at; i < records.size(); ++i) after.apply(i, records[i]);
    ASSERT_EQ(after.save(), expected) << "snapshot at " << at;
  }
}

TEST(State, SettingsOfTheMostExactPatternHold) {
  State state(10);
  const auto set = [&](const std::string& pattern) {
    record::TopicSet record;
    record.spec.pattern = pattern;
    state.apply(0, record);
  };
  const auto holds = [&](const std::string& subject) {
    const TopicSpec* spec = state.topic_specs().find(subject);
    return spec == nullptr ? std::string() : spec->pattern;
  };
  EXPECT_EQ(holds("a.b.c"), "");
  for (const char* pattern : {">", "*.b.>", "a.>", "a.*.c", "a.b.*", "a.b.c"}) set(pattern);
  EXPECT_EQ(holds("a.b.c"), "a.b.c");
  EXPECT_EQ(holds("a.b.d"), "a.b.*");
  EXPECT_EQ(holds("a.x.c"), "a.*.c");
  EXPECT_EQ(holds("a.x.y"), "a.>");
  EXPECT_EQ(holds("x.b.y"), "*.b.>");
  EXPECT_EQ(holds("x"), ">");
  record::TopicSet erased;
  erased.spec.pattern = "a.b.c";
  erased.erased = true;
  state.apply(1, erased);
  EXPECT_EQ(holds("a.b.c"), "a.b.*");
}

// Retention over random work: what is removed was open in no group, and the state is the same
// after any snapshot.
TEST(State, WhatIsOverdueIsOpenNowhere) {
  Rng rng(11);
  State state(50);
  std::uint64_t next = 0;
  const auto apply = [&](const Record& record) { state.apply(next++, record); };
  apply(group_made("g", "in.>"));
  apply(group_made("h", "in.1"));
  TopicSpec spec;
  spec.pattern = "in.>";
  spec.retain_messages = 7;
  spec.retain_ms = 60;
  spec.compact = true;
  apply(record::TopicSet{0, spec});
  for (int step = 0; step < 3'000; ++step) {
    const std::string name = rng.below(2) == 0 ? "g" : "h";
    GroupState& group = *state.group(name);
    const std::uint64_t what = rng.below(12);
    if (what < 4) {
      Message message = text_message("in." + std::to_string(rng.below(2)), "text",
                                     "c" + std::to_string(rng.below(4)));
      message.id = "m" + std::to_string(step);
      message.key = rng.below(2) == 0 ? "" : "k" + std::to_string(rng.below(3));
      message.time_ms = step;
      apply(record::Published{message});
    } else if (what < 7) {
      for (const std::uint64_t offset : group.ready(step, next, 3))
        apply(record::Leased{step, name, "ann", offset, group.attempts(offset) + 1, step + 20});
    } else if (what < 10) {
      for (const std::uint64_t offset : group.run_out(step + 15))
        apply(record::Acked{step, name, offset});
    } else if (what == 10) {
      const std::string subject = "in." + std::to_string(rng.below(2));
      if (state.topics().count(subject) == 0) continue;
      const broker::Overdue overdue = broker::find_overdue(state, subject, spec, step, {});
      for (const record::Removed& removed : overdue.removed) {
        const std::uint64_t open = state.group("g")->open_count() + state.group("h")->open_count();
        apply(removed);
        EXPECT_EQ(state.group("g")->open_count() + state.group("h")->open_count(), open);
        for (const std::uint64_t offset : removed.offsets)
          EXPECT_FALSE(state.keeps(subject, offset));
      }
    } else {
      State after(50, 2);
      ASSERT_TRUE(after.restore(state.save()));
      ASSERT_EQ(after.save(), state.save());
      EXPECT_LE(state.first_needed(next), next);
    }
  }
  // With nothing open the bounds hold.
  apply(record::GroupDeleted{0, "g"});
  apply(record::GroupDeleted{0, "h"});
  const broker::Overdue last = broker::find_overdue(state, "in.0", spec, 2'950, {});
  for (const record::Removed& removed : last.removed) apply(removed);
  EXPECT_LE(state.topics().at("in.0").count(), 7U);
}

TEST(State, SnapshotsOfAnotherFormAreCorrupt) {
  State state(10);
  state.apply(0, published("m0", "a"));
  state.apply(1, group_made("g", "a"));
  const std::string bytes = state.save();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    State cut(10);
    const Status restored = cut.restore(bytes.substr(0, length));
    ASSERT_FALSE(restored) << length;
    EXPECT_EQ(restored.error().code, Code::kCorrupt);
  }
  State longer(10);
  EXPECT_FALSE(longer.restore(bytes + "x"));
  State other(10);
  EXPECT_FALSE(other.restore("\x7f" + bytes.substr(1)));
}

}  // namespace
}  // namespace qiao
