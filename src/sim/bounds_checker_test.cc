// SPDX-License-Identifier: Apache-2.0
// What is bounded, limited, expected or kept: each checker sees a kept promise and a broken one.
#include <gtest/gtest.h>

#include "sim/sim_flow.h"
#include "sim/testing/checker_fixture.h"

namespace qiao::sim {
namespace {

class BoundsCheckerTest : public GroupCheckerTest {
 protected:
  Message& cause(const std::string& id, const std::string& by, const Budget& budget) {
    Message& child = store(id);
    child.cause = by;
    child.budget = budget;
    child.chain.assign(by == "m0" ? 1 : 2, "topic/in.a");
    return child;
  }
  void keep(const TopicSpec& spec) { store(record::TopicSet{0, spec}); }
  void remove(std::vector<std::uint64_t> offsets, const std::string& reason = "retention",
              std::int64_t time_ms = 0) {
    store(record::Removed{time_ms, std::move(offsets), reason, "in.a"});
  }
};

TEST_F(BoundsCheckerTest, ChildrenShareWhatIsLeft) {
  const auto budget = [](std::int32_t messages, std::int32_t calls) {
    Budget made;
    made.messages = messages;
    made.calls = calls;
    return made;
  };
  store("m0").budget = budget(4, 10);
  cause("m1", "m0", budget(1, 6));
  cause("m2", "m0", budget(1, 4));
  EXPECT_EQ(faults(budget_is_kept), 0U);
  cause("m3", "m1", budget(0, 7));  // more calls than m1 has
  EXPECT_EQ(faults(budget_is_kept), 1U);
  cause("m4", "m2", Budget{});  // without a limit
  EXPECT_EQ(faults(budget_is_kept), 2U);
  cause("m5", "m0", budget(0, 0));  // nothing is left
  EXPECT_EQ(faults(budget_is_kept), 3U);
}

TEST_F(BoundsCheckerTest, TimeAndTheWayPassToChildren) {
  Message& root = store("m0");
  root.time_ms = 100;
  root.budget.wall_ms = 50;
  Budget rest;
  rest.wall_ms = 20;
  cause("m1", "m0", rest).time_ms = 130;
  EXPECT_EQ(faults(budget_is_kept), 0U);
  cause("m2", "m0", rest).time_ms = 131;
  EXPECT_EQ(faults(budget_is_kept), 1U);
  cause("m3", "m0", Budget{-1, -1, 0}).chain.clear();
  EXPECT_EQ(faults(budget_is_kept), 2U);
}

TEST_F(BoundsCheckerTest, WhatIsSpentEndsAsALetterThatSaysWhy) {
  make_group(Busy::kEnqueue);
  const std::uint64_t spent = say("m0");
  journal.spent.emplace_back("g", spent);
  Message& letter = store("letter", "dead.g");
  letter.headers = {{"x-dead-group", "g"},
                    {"x-dead-offset", std::to_string(spent)},
                    {"x-dead-reason", "hops are spent"}};
  EXPECT_EQ(faults(budget_is_kept), 0U);
  letter.headers.erase("x-dead-reason");
  EXPECT_EQ(faults(budget_is_kept), 1U);
  journal.group_acked[{"g", spent}] = 1;
  EXPECT_EQ(faults(budget_is_kept), 2U);
}

TEST_F(BoundsCheckerTest, ReceiptsAreKept) {
  make_group(Busy::kEnqueue);
  const std::uint64_t one = say("m0");
  lease(one);
  store(record::Receipt{0, "g", one, "a", "1"});
  store(record::Receipt{0, "g", one, "b", "2"});
  store(record::Receipt{0, "g", one, "a", "3"});
  lease(one, 2, 2);
  journal.handed_out.back().receipts = {{"b", "2"}, {"a", "3"}};
  journal.stored = {{{"g", one}, {"a", "1"}}};
  EXPECT_EQ(faults(receipts_are_kept), 0U);
  journal.stored.push_back({{"g", one}, {"c", "4"}});
  EXPECT_EQ(faults(receipts_are_kept), 1U);
  ack(one);
  store(record::Receipt{0, "g", one, "d", "5"});
  EXPECT_EQ(faults(receipts_are_kept), 2U);
  journal.handed_out.back().receipts.pop_back();
  EXPECT_EQ(faults(receipts_are_kept), 3U);
}

TEST_F(BoundsCheckerTest, AnsweredIsNotAskedAgain) {
  const auto answer = [this](const std::string& step, const Json& data) {
    store(record::Receipt{0, kFlowGroup, 7, step, dump_json(data)});
  };
  answer("decision", {{"asked", "x"}});
  answer("model.1", {{"asked", "x"}, {"error", "busy"}});
  answer("model.1", {{"asked", "x"}});
  answer("model.2", {{"asked", "x"}});
  answer("model.2", {{"asked", "y"}});
  answer("model.2", {{"asked", "x"}});
  EXPECT_EQ(faults(answered_is_not_asked_again), 0U);
  answer("model.2", {{"asked", "x"}});
  EXPECT_EQ(faults(answered_is_not_asked_again), 1U);
  answer("decision", {{"asked", "y"}});
  EXPECT_EQ(faults(answered_is_not_asked_again), 2U);
}

TEST_F(BoundsCheckerTest, ExpectationIsKept) {
  const std::uint64_t first = say("m0");
  const std::uint64_t second = say("m1");
  say("other", "another lane");
  journal.expectations = {{"m0", std::nullopt}, {"m1", first}};
  journal.expected = {{"m0", first, {}}, {"lost", {}, first}, {"m0", first, {}}};
  EXPECT_EQ(faults(expectation_is_kept), 0U);
  journal.expectations["m1"] = std::nullopt;
  EXPECT_EQ(faults(expectation_is_kept), 1U);
  journal.expected.push_back({"m0", {}, second});  // a retry of what was stored
  EXPECT_EQ(faults(expectation_is_kept), 2U);
  journal.expected.push_back({"lost", {}, 99});
  EXPECT_EQ(faults(expectation_is_kept), 3U);
  journal.expectations["late"] = first;
  remove({first, second});
  say("late");  // what it saw is still the last
  EXPECT_EQ(faults(expectation_is_kept), 3U);
}

TEST_F(BoundsCheckerTest, BacklogIsBounded) {
  say("before", "early");
  TopicSpec topic;
  topic.pattern = "in.a";
  topic.backlog_max = 2;
  keep(topic);
  make_group(Busy::kSteer);
  const std::uint64_t one = say("m0");
  store(record::Joined{0, "g", one, {}});
  EXPECT_EQ(faults(backlog_is_bounded), 0U);
  say("m1");
  EXPECT_EQ(faults(backlog_is_bounded), 1U);
  ack(one);
  ack(0);
  say("m2");
  EXPECT_EQ(faults(backlog_is_bounded), 1U);
}

TEST_F(BoundsCheckerTest, RetentionKeepsItsBounds) {
  TopicSpec spec;
  spec.pattern = "in.a";
  spec.retain_messages = 2;
  keep(spec);
  for (const char* id : {"m0", "m1", "m2", "m3"}) say(id);  // 1, 2, 3, 4
  remove({1, 2});
  EXPECT_EQ(faults(retention_keeps_its_bounds), 0U);
  remove({3});
  EXPECT_EQ(faults(retention_keeps_its_bounds), 1U);
  say("m4");
  say("m5");
  remove({7});  // 4 was passed over, and 7 is inside; 4 stays
  EXPECT_EQ(faults(retention_keeps_its_bounds), 3U);
}

TEST_F(BoundsCheckerTest, WhatIsOpenStaysAndWhatIsRemovedStaysAway) {
  make_group(Busy::kEnqueue);
  TopicSpec spec;
  spec.pattern = "in.a";
  spec.retain_ms = 10;
  keep(spec);
  const std::uint64_t open = say("m0");
  const std::uint64_t done = say("m1");
  ack(done);
  remove({done}, "retention", 10);
  journal.kept.emplace(Journal::Kept{journal.records.size(), {open}});
  EXPECT_EQ(faults(retention_keeps_its_bounds), 0U);
  journal.kept->offsets = {done};  // one is back, one is lost
  EXPECT_EQ(faults(retention_keeps_its_bounds), 2U);
  journal.kept.reset();
  remove({open}, "retention", 10);
  EXPECT_EQ(faults(retention_keeps_its_bounds), 1U);
}

TEST_F(BoundsCheckerTest, CompactionKeepsTheLastOfEachKey) {
  TopicSpec spec;
  spec.pattern = "in.a";
  spec.compact = true;
  keep(spec);
  const auto put = [this](const std::string& id, const std::string& key) {
    store(id).key = key;
    return journal.records.size() - 1;
  };
  const std::uint64_t replaced = put("m0", "k");
  put("m1", "");
  const std::uint64_t last = put("m2", "k");
  EXPECT_EQ(faults(retention_keeps_its_bounds), 1U);  // kept at the end
  remove({replaced}, "compaction");
  EXPECT_EQ(faults(retention_keeps_its_bounds), 0U);
  remove({last}, "compaction");
  EXPECT_EQ(faults(retention_keeps_its_bounds), 1U);
}

}  // namespace
}  // namespace qiao::sim
