// SPDX-License-Identifier: Apache-2.0
// Every checker is shown a kept promise and a broken one: a checker that cannot fail proves
// nothing.
#include "sim/checker.h"

#include <gtest/gtest.h>

#include "sim/sim_flow.h"
#include "sim/testing/checker_fixture.h"

namespace qiao::sim {
namespace {

TEST_F(CheckerTest, AckedIsStoredOnce) {
  store("m0");
  journal.acked["m0"] = 0;
  EXPECT_EQ(faults(acked_is_stored_once), 0U);
  journal.acked["lost"] = 7;
  EXPECT_EQ(faults(acked_is_stored_once), 1U);
  store("m0");
  EXPECT_EQ(faults(acked_is_stored_once), 2U);
  journal.acked["m0"] = 5;
  EXPECT_EQ(faults(acked_is_stored_once), 3U);
}

TEST_F(CheckerTest, ConversationKeepsOrder) {
  store("m0");
  store("m1");
  journal.sent["lane"] = {"m0", "m1", "on its way"};
  EXPECT_EQ(faults(conversation_keeps_order), 0U);
  journal.sent["lane"] = {"m1", "m0"};
  EXPECT_EQ(faults(conversation_keeps_order), 1U);
}

TEST_F(CheckerTest, SeenIsDurable) {
  store("m0");
  hand_out(0, 0);
  journal.readers["r"].received.push_back({0, "m0"});
  EXPECT_EQ(faults(seen_is_durable), 0U);
  journal.readers["r"].received.push_back({1, "m1"});
  hand_out(0, 0, "another");
  EXPECT_EQ(faults(seen_is_durable), 2U);
}

TEST_F(CheckerTest, LaneGoesForward) {
  journal.ordered_groups.insert("g");
  hand_out(3, 0);
  hand_out(3, 2'000);
  hand_out(5, 3'000);
  EXPECT_EQ(faults(lane_goes_forward), 0U);
  hand_out(3, 4'000);
  EXPECT_EQ(faults(lane_goes_forward), 1U);
  journal.ordered_groups.clear();
  EXPECT_EQ(faults(lane_goes_forward), 0U);
}

TEST_F(CheckerTest, LeaseIsExclusive) {
  hand_out(3, 0);
  hand_out(3, 1'000);         // the lease ran out
  hand_out(3, 1'500).life++;  // the server lost it
  journal.handed_out.back().ended = true;
  hand_out(3, 1'700).life++;  // given back
  EXPECT_EQ(faults(lease_is_exclusive), 0U);
  hand_out(3, 1'800).life++;
  EXPECT_EQ(faults(lease_is_exclusive), 1U);
}

TEST_F(CheckerTest, AckedStaysAcked) {
  hand_out(3, 0);
  journal.group_acked[{"g", 3}] = 1;
  EXPECT_EQ(faults(acked_stays_acked), 0U);
  hand_out(3, 5'000);
  EXPECT_EQ(faults(acked_stays_acked), 1U);
}

TEST_F(CheckerTest, OneEndPerGroup) {
  store("m0");
  store(record::Acked{1, "g", 0});
  journal.group_acked[{"g", 0}] = 1;
  EXPECT_EQ(faults(one_end_per_group), 0U);
  Message& letter = store("letter", "dead.g");
  letter.headers = {{"x-dead-group", "g"}, {"x-dead-offset", "0"}};
  EXPECT_EQ(faults(one_end_per_group), 1U);
  store(record::Acked{1, "g", 0});
  EXPECT_EQ(faults(one_end_per_group), 2U);
  journal.group_acked[{"g", 9}] = 1;
  EXPECT_EQ(faults(one_end_per_group), 3U);
}

TEST_F(CheckerTest, ReaderHasNoGap) {
  store("m0");
  store("inbox", "_inbox.x");
  store("other", "out");
  store("m3");
  Journal::Reader& reader = journal.readers["r"];
  reader.pattern = "in.>";
  reader.received = {{0, "m0"}};
  EXPECT_EQ(faults(reader_has_no_gap), 0U);
  reader.to_the_end = true;
  EXPECT_EQ(faults(reader_has_no_gap), 1U);
  reader.received = {{0, "m0"}, {3, "m3"}};
  EXPECT_EQ(faults(reader_has_no_gap), 0U);
  reader.received = {{3, "m3"}};
  EXPECT_EQ(faults(reader_has_no_gap), 1U);
  reader.received = {{0, "m0"}, {0, "m0"}, {3, "m3"}};
  EXPECT_EQ(faults(reader_has_no_gap), 1U);
  reader.received = {{0, "m0"}, {3, "m3"}, {3, "m3"}};
  EXPECT_EQ(faults(reader_has_no_gap), 1U);
  store(record::Removed{0, {0}, "dropped"});  // before it was read, or after
  for (const auto& received : {std::vector<Received>{{0, "m0"}, {3, "m3"}}, {{3, "m3"}}}) {
    reader.received = received;
    EXPECT_EQ(faults(reader_has_no_gap), 0U);
  }
  reader.received = {{0, "m0"}};
  EXPECT_EQ(faults(reader_has_no_gap), 1U);
}

TEST_F(CheckerTest, AnswerFitsRequest) {
  journal.questions = {{"q1", "why"}, {"q2", "how"}};
  journal.answered.push_back({"q1", "q1", "result of why"});
  EXPECT_EQ(faults(answer_fits_request), 0U);
  journal.answered.push_back({"q2", "q1", "result of why"});
  EXPECT_EQ(faults(answer_fits_request), 1U);
}

TEST_F(CheckerTest, KeyNamesOneEffect) {
  journal.tool_calls = {{"m0:0", "POST /charge a"}, {"m0:0", "POST /charge a"}, {"m0:1", "b"}};
  EXPECT_EQ(faults(key_names_one_effect), 0U);
  journal.tool_calls.push_back({"m0:1", "c"});
  EXPECT_EQ(faults(key_names_one_effect), 1U);
}

TEST_F(CheckerTest, OneTurnPerMessage) {
  store("m0", kFlowInput);
  store("m1", kFlowInput);
  store(event("m0", "turn", {{"merged", {"m1"}}}));
  Message& stored = store("r0", kFlowOutput);
  stored.source = "flow/sim";
  stored.correlation = "m0";
  const Message reply = stored;
  EXPECT_EQ(faults(one_turn_per_message), 0U);
  store(event("m0", "turn", Json::object()));
  EXPECT_EQ(faults(one_turn_per_message), 1U);
  store(record::Published{reply});
  EXPECT_EQ(faults(one_turn_per_message), 2U);
}

TEST_F(CheckerTest, BudgetIsKept) {
  store("m0").budget = Budget{3, 100, -1};
  Message& child = store("m1");
  child.cause = "m0";
  child.budget.hops = 2;
  child.budget.tokens = 100;
  child.chain = {"topic/in.a"};
  const Json usage{{"usage", {{"prompt_tokens", 900}, {"completion_tokens", 600}}}};
  store(event("m0", "model.done", usage));
  EXPECT_EQ(faults(budget_is_kept), 0U);
  store(event("m0", "model.done", usage));
  EXPECT_EQ(faults(budget_is_kept), 1U);
  std::get<record::Published>(journal.records[1].second).message.budget.hops = 3;
  EXPECT_EQ(faults(budget_is_kept), 2U);
}

TEST_F(CheckerTest, StreamIsWhole) {
  store("r0", kFlowOutput, "Yes.");
  journal.streams.push_back({"page", 1, "m0", {0, 1, 2}, "Yes.", "r0", true});
  EXPECT_EQ(faults(stream_is_whole), 0U);
  journal.streams.push_back({"page", 2, "m0", {0, 2}, "", "", false});
  EXPECT_EQ(faults(stream_is_whole), 1U);
  journal.streams.push_back({"page", 3, "m0", {0}, "No.", "r0", true});
  journal.streams.push_back({"page", 4, "m0", {0}, "No.", "lost", true});
  EXPECT_EQ(faults(stream_is_whole), 3U);
  journal.streams.push_back({"page", 4, "m0", {0}, "", "", false});
  journal.streams.push_back({"page", 2, "m0", {0}, "", "", false});
  EXPECT_EQ(faults(stream_is_whole), 5U);
  journal.streams.push_back({"other", 1, "m0", {0}, "", "", false});
  EXPECT_EQ(faults(stream_is_whole), 5U);
}

TEST_F(GroupCheckerTest, NobodyIsForgotten) {
  make_group(Busy::kMerge);
  const std::uint64_t first = say("m0");
  const std::uint64_t second = say("m1");
  store("elsewhere", "out");
  journal.groups.insert("g");
  EXPECT_EQ(faults(nobody_is_forgotten), 2U);
  store(record::Joined{0, "g", first, {second}});
  ack(first);
  EXPECT_EQ(faults(nobody_is_forgotten), 0U);
  const std::uint64_t third = say("m2");
  EXPECT_EQ(faults(nobody_is_forgotten), 1U);
  store(record::Removed{0, {third}, "dropped"});
  EXPECT_EQ(faults(nobody_is_forgotten), 0U);
}

TEST_F(GroupCheckerTest, RestsAreKept) {
  make_group(Busy::kEnqueue);
  const std::uint64_t late = say("m0");
  std::get<record::Published>(journal.records[late].second).message.deliver_at_ms = 900;
  lease(late);
  store(record::Nacked{0, "g", late, 1'000, true, "no"});
  lease(late, 2, 2);
  EXPECT_EQ(faults(rests_are_kept), 0U);
  store(record::Nacked{0, "g", late, 1'001, true, "no"});
  lease(late, 3, 3);
  EXPECT_EQ(faults(rests_are_kept), 1U);
  store(record::Parked{0, "g", late, 5'000, "approval"});
  lease(late, 3, 4);
  EXPECT_EQ(faults(rests_are_kept), 2U);
  store(record::Parked{0, "g", late, 5'000, "approval"});
  store(record::Woken{0, "g", late});
  lease(late, 3, 5);
  EXPECT_EQ(faults(rests_are_kept), 2U);
  const std::uint64_t early = say("m1");
  std::get<record::Published>(journal.records[early].second).message.deliver_at_ms = 1'001;
  lease(early);
  EXPECT_EQ(faults(rests_are_kept), 3U);
}

TEST_F(GroupCheckerTest, RetriesFollowRules) {
  make_group(Busy::kEnqueue);
  const std::uint64_t one = say("m0");
  lease(one);
  store(record::Nacked{10, "g", one, 0, false, "handed back"});
  lease(one);
  store(record::Parked{10, "g", one, 20, "approval"});
  lease(one);
  store(record::Nacked{10, "g", one, 60, true, "no", "busy"});
  lease(one, 2);
  store(record::Nacked{10, "g", one, 160, true, "no", "busy"});
  EXPECT_EQ(faults(retries_follow_rules), 0U);
  lease(one, 3);
  Message& letter = store("letter", "dead.g");
  letter.headers = {{"x-dead-group", "g"},
                    {"x-dead-offset", std::to_string(one)},
                    {"x-dead-error", "busy"},
                    {"x-dead-attempts", "3"}};
  EXPECT_EQ(faults(retries_follow_rules), 0U);
  const std::uint64_t two = say("m1");
  lease(two, 2);  // it is the first
  EXPECT_EQ(faults(retries_follow_rules), 1U);
  store(record::Nacked{10, "g", two, 10'000, true, "no", "busy"});  // waits too long
  EXPECT_EQ(faults(retries_follow_rules), 2U);
  lease(two, 2);
  store(record::Expired{10, "g", two, 0});  // that was the last
  EXPECT_EQ(faults(retries_follow_rules), 3U);
  const std::uint64_t three = say("m2");
  lease(three);
  Message& early = store("early", "dead.g");
  early.headers = {
      {"x-dead-group", "g"}, {"x-dead-offset", std::to_string(three)}, {"x-dead-attempts", "1"}};
  EXPECT_EQ(faults(retries_follow_rules), 4U);
}

TEST_F(GroupCheckerTest, PriorityGoesFirst) {
  make_group(Busy::kEnqueue, false);
  const std::uint64_t usual = say("m0");
  const std::uint64_t urgent = say("m1");
  std::get<record::Published>(journal.records[urgent].second).message.priority = 9;
  lease(urgent);
  lease(usual);
  EXPECT_EQ(faults(priority_goes_first), 0U);
  store(record::Nacked{0, "g", urgent, 0, false, "no"});
  const std::uint64_t later = say("m2");
  lease(later);
  EXPECT_EQ(faults(priority_goes_first), 1U);
}

TEST_F(GroupCheckerTest, CapacityIsKept) {
  make_group(Busy::kEnqueue);
  store("m0", "in.a", "eight by").conversation = "lane";
  store("m1", "in.a", "nine byte").conversation = "lane";
  store("m2", "in.a", "三个字").conversation = "lane";
  for (std::uint64_t offset = 1; offset <= 3; ++offset) hand_out(offset, 0);
  EXPECT_EQ(faults(capacity_is_kept), 0U);
  for (HandedOut& one : journal.handed_out) one.context_tokens = 2;
  EXPECT_EQ(faults(capacity_is_kept), 2U);
}

TEST_F(GroupCheckerTest, LanesKeepTheirOrder) {
  make_group(Busy::kEnqueue);
  const std::uint64_t first = say("m0");
  const std::uint64_t second = say("m1");
  lease(first);
  ack(first);
  lease(second);
  EXPECT_EQ(faults(busy_policy_holds), 0U);
  say("m2");
  lease(say("m3"));
  EXPECT_EQ(faults(busy_policy_holds), 1U);
  store(record::Joined{0, "g", second, {second + 1}});  // no policy says so, and it is no message
  EXPECT_EQ(faults(busy_policy_holds), 3U);
}

TEST_F(GroupCheckerTest, RejectKeepsOneOpen) {
  make_group(Busy::kReject);
  const std::uint64_t first = say("m0");
  say("m1", "another lane");
  ack(first);
  say("m2");
  EXPECT_EQ(faults(busy_policy_holds), 0U);
  say("m3");
  EXPECT_EQ(faults(busy_policy_holds), 1U);
}

TEST_F(GroupCheckerTest, InterruptEndsALeaseAndTells) {
  make_group(Busy::kInterrupt);
  const auto told = [this](std::uint64_t offset, const std::string& by) {
    store(event("m", "superseded", Json{{"group", "g"}, {"offset", offset}, {"by", by}}));
  };
  const std::uint64_t first = say("m0");
  lease(first);
  say("m1");
  ack(first);
  told(first, "m1");
  EXPECT_EQ(faults(busy_policy_holds), 0U);
  journal.group_acked[{"g", first}] = 1;
  EXPECT_EQ(faults(busy_policy_holds), 1U);
  told(first, "nobody");
  EXPECT_EQ(faults(busy_policy_holds), 3U);
}

TEST_F(GroupCheckerTest, FollowersShareFate) {
  make_group(Busy::kSteer);
  const std::uint64_t head = say("m0");
  const std::uint64_t follower = say("m1");
  lease(head);
  store(record::Joined{0, "g", head, {follower}});
  ack(head);
  journal.handed_out.back().acked = true;
  EXPECT_EQ(faults(followers_share_fate), 1U);  // who acked never saw it
  journal.handed_out.back().followers = {follower};
  EXPECT_EQ(faults(followers_share_fate), 0U);
  journal.group_acked[{"g", head}] = 1;
  EXPECT_EQ(faults(followers_share_fate), 0U);
  hand_out(follower, 0);
  EXPECT_EQ(faults(followers_share_fate), 1U);
}

TEST_F(GroupCheckerTest, LetterHasOneFate) {
  const auto letter = [this](const std::string& id) {
    store(id, "dead.g").headers = {{"x-dead-group", "g"}};
    return journal.records.size() - 1;
  };
  const std::uint64_t sent = letter("l0");
  store("again").cause = "l0";
  store(record::Removed{0, {sent}, "sent again"});
  journal.letters = {{sent, "again"}};
  EXPECT_EQ(faults(letter_has_one_fate), 0U);
  journal.letters.push_back({sent, ""});  // ended twice, dropped and sent
  EXPECT_EQ(faults(letter_has_one_fate), 2U);
  store("once more").cause = "l0";
  EXPECT_EQ(faults(letter_has_one_fate), 3U);
  journal.letters.push_back({letter("l1"), "lost"});  // still there, and what was sent is lost
  EXPECT_EQ(faults(letter_has_one_fate), 5U);
}

TEST_F(CheckerTest, WhatActorsReportIsAViolation) {
  EXPECT_TRUE(check_all(journal).empty());
  journal.strange.push_back("corrupt");
  journal.unfinished.push_back("a group waits");
  ASSERT_EQ(check_all(journal).size(), 2U);
  EXPECT_EQ(check_all(journal).front().checker, "errors_are_expected");
}

}  // namespace
}  // namespace qiao::sim
