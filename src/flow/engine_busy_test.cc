// SPDX-License-Identifier: Apache-2.0
// What a flow does with messages that come while a turn of their conversation runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/testing/flow_rig.h"
#include "model/scripted_model.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;
using testing::FlowRig;
using ::testing::HasSubstr;
using testing::HeldModel;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string with_turn(const std::string& turn) {
  return "flow: f\nturn: " + turn + R"(
understand: { entities: [ order_number ] }
routes:
  - { name: fixed, when: { words: [ fixed ] }, to: agent.fixed }
  - { name: else, otherwise: true, to: agent.chat }
agents:
  chat: { prompt: p.md, retries: 1 }
  fixed: { kind: template, template: fixed words }
)";
}

class BusyTest : public ::testing::Test {
 protected:
  explicit BusyTest(const std::string& turn) : rig_(with_turn(turn)) {
    rig_.folder.write("p.md", "Be kind.");
    rig_.models["chat"] = held_;
    rig_.start();
  }
  void answer(const std::string& words) {
    held_->answer(words);
    rig_.loop->run();
  }
  void turn_is(const std::string& turn) { rig_.folder.write("flow.yaml", with_turn(turn)); }
  std::vector<StreamEvent> stream(const std::string& message_id) {
    std::vector<StreamEvent> events;
    const auto reader = rig_.streams->attach(
        message_id, {}, {[&events](const StreamEvent& event) { events.push_back(event); }});
    EXPECT_TRUE(reader);
    rig_.streams->detach(message_id, *reader);
    return events;
  }
  std::vector<std::string> asked() const {
    std::vector<std::string> texts;
    for (const ChatTurn& turn : held_->last.turns) {
      if (turn.role == Role::kUser) texts.push_back(turn.content);
    }
    return texts;
  }
  GroupInfo group() {
    GroupInfo found;
    rig_.broker->groups([&found](const Result<std::vector<GroupInfo>>& groups) {
      for (const GroupInfo& info : *groups) {
        if (info.spec.name == "flow.f") found = info;
      }
    });
    rig_.loop->run();
    return found;
  }

  FlowRig rig_;
  std::shared_ptr<HeldModel> held_ = std::make_shared<HeldModel>();
};

// -- enqueue

class EnqueueTest : public BusyTest {
 protected:
  EnqueueTest() : BusyTest("{}") {}
};

TEST_F(EnqueueTest, EachMessageIsATurn) {
  rig_.say("one");
  rig_.say("two");
  EXPECT_EQ(held_->asked, 1U);
  answer("first");
  answer("second");
  EXPECT_THAT(rig_.replies(), ElementsAre("first", "second"));
}

TEST_F(EnqueueTest, AReaderMayLeaveBeforeTheTurn) {
  rig_.say("one");
  rig_.say("two");
  rig_.engine->cancel(rig_.last_id);
  rig_.say("three");
  answer("first");
  answer("third");
  EXPECT_THAT(rig_.replies(), ElementsAre("first", "third"));
  EXPECT_THAT(rig_.events("cancelled"), SizeIs(1));
}

TEST_F(EnqueueTest, AFlowMayChangeItsPolicy) {
  EXPECT_EQ(group().spec.busy, Busy::kEnqueue);
  turn_is("{ busy: merge }");
  rig_.start();
  EXPECT_EQ(group().spec.busy, Busy::kMerge);
  rig_.start();  // it is what the log says
  EXPECT_EQ(group().spec.busy, Busy::kMerge);
}

// -- settle and merge

class SettleTest : public BusyTest {
 protected:
  SettleTest() : BusyTest("{ settle: 800ms, max_wait: 2s }") {}
};

TEST_F(SettleTest, MessagesWithinSettleAreOneTurn) {
  rig_.say("one");
  rig_.loop->advance_ms(500);
  Message second = text_message("f.in", "two fixed", "c1");
  second.reply_to = "inbox.2";
  rig_.publish(second);
  rig_.loop->advance_ms(700);
  EXPECT_THAT(rig_.replies(), IsEmpty());
  rig_.loop->advance_ms(200);
  EXPECT_THAT(rig_.replies(), ElementsAre("fixed words"));
  EXPECT_THAT(rig_.replies("inbox.2"), ElementsAre("fixed words"));
  EXPECT_THAT(rig_.events("turn").at(0)["merged"], SizeIs(1));
  EXPECT_EQ(group().acked, 2U);
  rig_.say("fixed alone");
  rig_.loop->advance_ms(900);
  EXPECT_THAT(rig_.replies(), SizeIs(2));
  EXPECT_THAT(rig_.events("turn").at(1)["merged"], IsEmpty());
}

TEST_F(SettleTest, MaxWaitEndsABurst) {
  for (int i = 0; i < 5; ++i) {
    rig_.say("fixed");
    rig_.loop->advance_ms(500);
  }
  EXPECT_THAT(rig_.replies(), SizeIs(1));
}

// The burst is acked with the answer, in one batch: a crash before brings all of it again.
TEST_F(SettleTest, ACrashWhileItGathersLosesNothing) {
  rig_.say("one");
  rig_.loop->advance_ms(300);
  rig_.say("two fixed");
  rig_.start();
  rig_.loop->advance_ms(2'000);
  EXPECT_THAT(rig_.replies(), ElementsAre("fixed words"));
  EXPECT_EQ(group().acked, 2U);
}

TEST_F(SettleTest, AStreamOfEachMessageHasTheAnswer) {
  rig_.say("one");
  const std::string first = rig_.last_id;
  rig_.say("fixed");
  const std::string second = rig_.last_id;
  rig_.loop->advance_ms(900);
  EXPECT_EQ(stream(first).back().kind, StreamEvent::Kind::kEnd);
  EXPECT_EQ(stream(second).back().data["message_id"], stream(first).back().data["message_id"]);
}

TEST_F(SettleTest, WhoTypesIsWaitedFor) {
  rig_.say("one");
  rig_.loop->advance_ms(600);
  rig_.engine->typing("c1", 1'000);
  rig_.loop->advance_ms(700);
  EXPECT_THAT(rig_.replies(), IsEmpty());
  EXPECT_EQ(held_->asked, 0U);
  rig_.say("two fixed");  // it was typed: the usual silence follows
  rig_.loop->advance_ms(750);
  EXPECT_THAT(rig_.replies(), ElementsAre("fixed words"));
}

// The message is stored and not yet at the gate when its author goes on.
TEST_F(SettleTest, TypingIsNotLostBeforeTheGate) {
  Message message = text_message(rig_.input, "fixed", "c1");
  message.id = "m1";
  rig_.broker->publish({std::move(message)}, [](const auto& done) { ASSERT_TRUE(done); });
  rig_.engine->typing("c1", 1'500);
  rig_.loop->run();
  rig_.loop->advance_ms(1'400);
  EXPECT_THAT(rig_.replies(), IsEmpty());
  rig_.loop->advance_ms(200);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
}

TEST_F(SettleTest, TypingBeforeTheMessageIsOverWithIt) {
  rig_.engine->typing("c1", 5'000);
  rig_.loop->advance_ms(100);
  rig_.say("fixed");
  rig_.loop->advance_ms(900);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
}

TEST_F(SettleTest, TypingEndsAndHasItsBound) {
  rig_.say("fixed");
  rig_.engine->typing("c1", 5'000);
  rig_.engine->typing("c2", 5'000);  // nobody waits there
  rig_.loop->advance_ms(1'900);
  EXPECT_THAT(rig_.replies(), IsEmpty());
  rig_.loop->advance_ms(200);  // max_wait
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  rig_.say("fixed");
  rig_.engine->typing("c1", 5'000);
  rig_.loop->advance_ms(900);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  rig_.engine->typing("c1", 0);  // stopped
  rig_.loop->run();
  EXPECT_THAT(rig_.replies(), SizeIs(2));
}

class JudgingGateTest : public BusyTest {
 protected:
  JudgingGateTest()
      : BusyTest("{ settle: 1s, max_wait: 6s, complete: { settle: 200ms }, cut_off: {} }") {}
};

TEST_F(JudgingGateTest, AWholeMessageWaitsShorterAndACutOneLonger) {
  rig_.say("is it fixed?", "whole");
  rig_.say("umbrella fixed", "neither");
  rig_.say("fixed because of the", "cut");
  rig_.loop->advance_ms(300);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  EXPECT_EQ(rig_.messages("f.out")[0].conversation, "whole");
  rig_.loop->advance_ms(800);
  EXPECT_THAT(rig_.replies(), SizeIs(2));
  EXPECT_EQ(rig_.messages("f.out")[1].conversation, "neither");
  rig_.loop->advance_ms(1'800);
  EXPECT_THAT(rig_.replies(), SizeIs(2));
  rig_.loop->advance_ms(200);  // three times settle
  EXPECT_THAT(rig_.replies(), SizeIs(3));
}

TEST_F(JudgingGateTest, WhatWasSaidSoFarIsJudged) {
  rig_.say("fixed because of the");
  rig_.loop->advance_ms(1'500);
  rig_.say("rain.");
  rig_.loop->advance_ms(300);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  EXPECT_THAT(rig_.events("turn").at(0)["merged"], SizeIs(1));
}

class MergeTest : public BusyTest {
 protected:
  MergeTest() : BusyTest("{ busy: merge }") {}
};

TEST_F(MergeTest, WhatWaitsIsOneTurn) {
  rig_.say("one");
  rig_.say("two");
  rig_.say("three");
  answer("first");
  EXPECT_THAT(asked(), ElementsAre("one", "two\nthree"));
  answer("second");
  EXPECT_THAT(rig_.replies(), ElementsAre("first", "second"));
  EXPECT_EQ(group().acked, 3U);
}

TEST_F(MergeTest, TheTurnEndsWhenAllItsReadersLeft) {
  rig_.say("one");
  rig_.say("two");
  const std::string second = rig_.last_id;
  rig_.say("three");
  const std::string third = rig_.last_id;
  answer("first");
  rig_.engine->cancel(second);
  rig_.loop->run();
  EXPECT_EQ(held_->cancelled, 0);
  rig_.engine->cancel(third);
  rig_.loop->run();
  EXPECT_EQ(held_->cancelled, 1);
  EXPECT_THAT(rig_.replies(), ElementsAre("first"));
}

// -- reject

class RejectTest : public BusyTest {
 protected:
  RejectTest() : BusyTest("{ busy: reject }") {}
};

TEST_F(RejectTest, TheCallerIsToldWhileATurnRuns) {
  rig_.say("one");
  std::optional<Error> refused;
  const auto keep = [&refused](const Result<std::vector<Published>>& done) {
    if (!done) refused = done.error();
  };
  rig_.broker->publish({text_message("f.in", "two", "c1")}, keep);
  rig_.loop->run();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, Code::kConflict);
  EXPECT_THAT(refused->message, HasSubstr("c1"));
  answer("first");
  rig_.say("three");
  answer("third");
  EXPECT_THAT(rig_.replies(), ElementsAre("first", "third"));
}

// -- steer

class SteerTest : public BusyTest {
 protected:
  SteerTest() : BusyTest("{ busy: steer }") {}
  // The model calls a tool, and a message that came meanwhile is with it when it is asked again.
  void steer_beside_a_tool() {
    rig_.say("look it up");
    rig_.say("and be quick");
    Generated calls;
    calls.tool_calls = {{"1", "nothing", "{}"}};
    held_->done(std::move(calls));
    rig_.loop->run();
    EXPECT_EQ(held_->asked, 2U);
  }
};

TEST_F(SteerTest, TheRunningTurnTakesItAtItsNextDraft) {
  rig_.say("write about tea");
  const std::string first = rig_.last_id;
  held_->text("Tea is");
  rig_.say("make it rhyme, QX20260101");
  const std::string second = rig_.last_id;
  EXPECT_EQ(held_->asked, 1U);
  answer("Tea is old.");
  EXPECT_THAT(rig_.replies(), IsEmpty());  // the draft is taken back
  EXPECT_EQ(held_->asked, 2U);
  EXPECT_THAT(asked(), ElementsAre("write about tea\nmake it rhyme, QX20260101"));
  answer("Tea for me.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Tea for me."));
  EXPECT_EQ(rig_.events("steered").at(0)["messages"], Json::array({second}));
  EXPECT_EQ(rig_.events("conversation").back()["entities"][0]["value"], "QX20260101");
  EXPECT_EQ(group().acked, 2U);
  EXPECT_EQ(stream(second).back().kind, StreamEvent::Kind::kEnd);
  EXPECT_EQ(stream(second).back().data["message_id"], stream(first).back().data["message_id"]);
}

TEST_F(SteerTest, AfterToolsItIsAMessageOfItsOwn) {
  steer_beside_a_tool();
  EXPECT_EQ(held_->last.turns.back().role, Role::kUser);
  EXPECT_EQ(held_->last.turns.back().content, "and be quick");
  answer("Done.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Done."));
}

TEST_F(SteerTest, AnAgentWithoutAModelLeavesItToTheNextTurn) {
  rig_.broker->publish({text_message("f.in", "fixed one", "c1"), text_message("f.in", "two", "c1")},
                       [](const auto& done) { ASSERT_TRUE(done); });
  rig_.loop->run();
  answer("second");
  EXPECT_THAT(rig_.replies(), ElementsAre("fixed words", "second"));
  EXPECT_THAT(rig_.events("turn"), SizeIs(2));
}

TEST_F(SteerTest, AfterACrashAllOfItIsOneTurn) {
  rig_.say("write about tea");
  rig_.say("make it rhyme");
  answer("Tea is old.");
  rig_.start();
  EXPECT_THAT(asked(), ElementsAre("write about tea\nmake it rhyme"));
  answer("Tea for me.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Tea for me."));
  EXPECT_EQ(group().acked, 2U);
}

// The turn that goes on after a crash takes it where the turn before did: what was answered by then
// is not asked again.
TEST_F(SteerTest, AfterACrashItGoesOnFromWhatWasAnswered) {
  steer_beside_a_tool();
  rig_.start();
  EXPECT_EQ(held_->asked, 3U);
  EXPECT_EQ(held_->last.turns.back().content, "and be quick");
  answer("Done.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Done."));
  EXPECT_EQ(group().acked, 2U);
  std::vector<std::string> steps;
  for (const Record& record : rig_.records()) {
    if (const auto* receipt = std::get_if<record::Receipt>(&record)) steps.push_back(receipt->step);
  }
  EXPECT_THAT(steps, ElementsAre("decision", "model.1", "steer.2", "filter.1", "model.2"));
}

// What comes while the answer is being stored is not lost in it.
TEST_F(SteerTest, WhatComesAfterTheLastSafePointIsTheNextTurn) {
  rig_.say("one");
  rig_.broker->publish({text_message("f.in", "two", "c1")}, [](const auto&) {});
  held_->answer("first");
  rig_.loop->run();
  if (rig_.replies().empty()) answer("both");
  rig_.say("three");
  answer("third");
  EXPECT_EQ(group().acked, 3U);
  EXPECT_EQ(group().waiting, 0U);
}

// -- interrupt

class InterruptTest : public BusyTest {
 protected:
  InterruptTest() : BusyTest("{ busy: interrupt }") {}
};

TEST_F(InterruptTest, ANewMessageCancelsTheRunningTurn) {
  rig_.say("write about QX20260101");
  const std::string first = rig_.last_id;
  held_->text("Once upon");
  rig_.say("no, a poem");
  EXPECT_EQ(held_->cancelled, 1);
  EXPECT_EQ(held_->asked, 2U);
  EXPECT_THAT(asked(), ElementsAre("write about QX20260101", "no, a poem"));
  answer("Roses.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Roses."));
  // The half answer stays, marked.
  const auto events = stream(first);
  EXPECT_EQ(events.back().kind, StreamEvent::Kind::kEnd);
  EXPECT_EQ(events.back().data["finish"], "superseded");
  EXPECT_EQ(events.at(events.size() - 2).text, "Once upon");
  EXPECT_THAT(rig_.events("superseded"), SizeIs(1));
  EXPECT_EQ(rig_.events("conversation").back()["entities"][0]["value"], "QX20260101");
  EXPECT_EQ(group().acked, 2U);
}

TEST_F(InterruptTest, ItWorksLongAfterTheTurnBegan) {
  rig_.say("one");
  rig_.loop->advance_ms(45'000);
  rig_.say("two");
  EXPECT_EQ(held_->cancelled, 1);
  EXPECT_THAT(asked(), ElementsAre("one", "two"));
}

TEST_F(InterruptTest, BothAreInContextAfterACrash) {
  rig_.with_history = true;
  rig_.start();
  rig_.say("one");
  ASSERT_TRUE(rig_.run_until([&] { return held_->asked == 1; }));
  rig_.broker->publish({text_message("f.in", "two", "c1")}, [](const auto&) {});
  rig_.loop->run();
  const auto before = held_->asked;
  rig_.start();
  ASSERT_TRUE(rig_.run_until([&] { return held_->asked > before; }));
  EXPECT_THAT(asked(), ElementsAre("one", "two"));
  answer("Both.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Both."));
}

class InterruptGateTest : public BusyTest {
 protected:
  InterruptGateTest() : BusyTest("{ busy: interrupt, settle: 1s, max_wait: 5s }") {}
};

TEST_F(InterruptGateTest, WhatWaitsAtTheGateIsInterruptedToo) {
  rig_.say("one");
  rig_.loop->advance_ms(400);
  rig_.say("two");
  rig_.loop->advance_ms(1'100);
  EXPECT_THAT(asked(), ElementsAre("one", "two"));
  answer("Both.");
  EXPECT_THAT(rig_.replies(), ElementsAre("Both."));
}

}  // namespace
}  // namespace qiao
