// SPDX-License-Identifier: Apache-2.0
// Every checker is shown a kept promise and a broken one: a checker that cannot fail proves
// nothing.
#include "sim/checker.h"

#include <gtest/gtest.h>

#include "sim/sim_flow.h"

namespace qiao::sim {
namespace {

class CheckerTest : public ::testing::Test {
 protected:
  // The faults that one checker finds in the journal.
  std::size_t faults(std::unique_ptr<Checker> (*make)()) { return make()->check(journal).size(); }

  Message& store(const std::string& id, const std::string& subject = "in.a",
                 const std::string& text = "x") {
    record::Published published{text_message(subject, text)};
    published.message.id = id;
    journal.records.emplace_back(journal.records.size(), std::move(published));
    return std::get<record::Published>(journal.records.back().second).message;
  }
  void store(Record record) {
    journal.records.emplace_back(journal.records.size(), std::move(record));
  }
  HandedOut& hand_out(std::uint64_t offset, std::int64_t at_ms, const std::string& id = "m0") {
    HandedOut entry;
    entry.group = "g";
    entry.conversation = "lane";
    entry.offset = offset;
    entry.id = id;
    entry.at_ms = at_ms;
    entry.until_ms = at_ms + 1'000;
    journal.handed_out.push_back(entry);
    return journal.handed_out.back();
  }
  record::Event event(const std::string& id, const std::string& type, Json data) {
    record::Event made;
    made.message_id = id;
    made.type = type;
    made.data = std::move(data);
    return made;
  }

  Agenda agenda;
  Trace trace{agenda, false};
  Journal journal{trace};
};

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
  journal.streams.push_back({"m0", {0, 1, 2}, "Yes.", "r0", true});
  EXPECT_EQ(faults(stream_is_whole), 0U);
  journal.streams.push_back({"m0", {0, 2}, "", "", false});
  EXPECT_EQ(faults(stream_is_whole), 1U);
  journal.streams.push_back({"m0", {0}, "No.", "r0", true});
  journal.streams.push_back({"m0", {0}, "No.", "lost", true});
  EXPECT_EQ(faults(stream_is_whole), 3U);
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
