// SPDX-License-Identifier: Apache-2.0
// The broker's promises, on a memory log and on segment files over a disk that can lose power.
#include "broker/broker.h"

#include <gtest/gtest.h>

#include "broker/testing/broker_harness.h"

namespace qiao {
namespace {

using testing::BrokerHarness;
using Kind = BrokerHarness::Kind;

GroupSpec group_of(std::string pattern, std::string name = "g") {
  GroupSpec spec;
  spec.name = std::move(name);
  spec.pattern = std::move(pattern);
  spec.start.at = GroupStart::At::kOldest;
  spec.lease_ms = 1'000;
  spec.attempts_max = 3;
  return spec;
}

Message message_of(std::string subject, std::string text, std::string conversation = {}) {
  return text_message(std::move(subject), std::move(text), std::move(conversation));
}

class BrokerTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { ASSERT_TRUE(bus.open()); }

  // What group `g` gives at once, as texts.
  std::vector<std::string> leased(std::size_t count, const std::string& consumer = "ann") {
    std::vector<std::string> texts;
    const auto deliveries = bus.lease("g", consumer, count);
    EXPECT_TRUE(deliveries) << deliveries.error().message;
    if (!deliveries) return texts;
    for (const Delivery& delivery : *deliveries) {
      texts.push_back(delivery.message.text());
      last = delivery;
    }
    return texts;
  }
  void crash_and_reopen() {
    bus.crash();
    const Status opened = bus.open();
    ASSERT_TRUE(opened) << opened.error().message;
  }
  using Texts = std::vector<std::string>;

  BrokerHarness bus{GetParam()};
  Delivery last;
};

INSTANTIATE_TEST_SUITE_P(Logs, BrokerTest, ::testing::Values(Kind::kMemory, Kind::kSegments),
                         [](const auto& kind) {
                           return kind.param == Kind::kMemory ? "Memory" : "Segments";
                         });

TEST_P(BrokerTest, PublishAnswersWithOffsetAndDurability) {
  const auto first = bus.publish(message_of("a.b", "one"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->offset, 0U);
  EXPECT_FALSE(first->id.empty());
  EXPECT_FALSE(first->duplicate);
  EXPECT_EQ(first->durability,
            GetParam() == Kind::kMemory ? Durability::kMemory : Durability::kFsync);
  EXPECT_EQ(bus.publish(message_of("a.b", "two"))->offset, 1U);
  EXPECT_EQ(bus.publish(message_of("a b", "bad subject")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(bus.publish(message_of("a.*", "a pattern")).error().code, Code::kInvalidArgument);
}

TEST_P(BrokerTest, AnIdIsStoredOnceAlsoAfterACrash) {
  Message message = message_of("a", "one");
  message.id = "m1";
  const auto first = bus.publish(message);
  ASSERT_TRUE(first);
  for (int round = 0; round < 2; ++round) {
    message.parts.front().data = "another text under the same id";
    const auto again = bus.publish(message);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->offset, first->offset);
    EXPECT_EQ(bus.read("a")->messages.size(), 1U);
    crash_and_reopen();
  }
  const auto batch = bus.call<std::vector<Published>>([&](auto done) {
    Message twin = message_of("a", "twin");
    twin.id = "m2";
    bus.broker().publish({twin, twin, message}, done);
  });
  ASSERT_TRUE(batch);
  EXPECT_FALSE((*batch)[0].duplicate);
  EXPECT_TRUE((*batch)[1].duplicate);
  EXPECT_EQ((*batch)[0].offset, (*batch)[1].offset);
  EXPECT_EQ((*batch)[2].offset, first->offset);
}

TEST_P(BrokerTest, AckedMessagesAreNotDeliveredAgainOthersAre) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(bus.publish(message_of("in", text)));
  EXPECT_EQ(leased(2), (Texts{"one", "two"}));
  EXPECT_EQ(last.attempt, 1U);
  ASSERT_TRUE(bus.ack(last));
  EXPECT_EQ(bus.ack(last).error().code, Code::kConflict);
  crash_and_reopen();
  bus.advance_ms(1'001);
  EXPECT_EQ(leased(9), (Texts{"one", "three"}));
}

TEST_P(BrokerTest, LeasesRunOutByTheClockAlsoWithoutOtherWorkAfterAReopen) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  bus.settle();
  crash_and_reopen();
  const auto waiting = bus.begin<std::vector<Delivery>>(
      [&](auto done) { bus.broker().lease("g", "bob", 1, 5'000, done); });
  bus.advance_ms(999);
  EXPECT_FALSE(waiting->has_value());
  bus.advance_ms(2);
  ASSERT_TRUE(waiting->has_value() && **waiting && (*waiting)->value().size() == 1);
  EXPECT_EQ((*waiting)->value().front().attempt, 2U);
}

TEST_P(BrokerTest, AnOlderAttemptCannotAck) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  const Delivery first = last;
  bus.advance_ms(1'001);
  EXPECT_EQ(leased(1, "bob"), Texts{"one"});
  EXPECT_EQ(bus.ack(first).error().code, Code::kConflict);
  EXPECT_EQ(bus.nack(first).error().code, Code::kConflict);
  EXPECT_TRUE(bus.ack(last));
}

TEST_P(BrokerTest, ExtendKeepsTheLease) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  const auto until =
      bus.call<std::int64_t>([&](auto done) { bus.broker().extend(lease_of(last), 5'000, done); });
  ASSERT_TRUE(until);
  EXPECT_EQ(*until, bus.clock().wall_ms() + 5'000);
  bus.advance_ms(4'999);
  EXPECT_TRUE(leased(1, "bob").empty());
  EXPECT_TRUE(bus.ack(last));
}

TEST_P(BrokerTest, AClockThatIsSetBackKeepsNoLeaseAndNoRetry) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  bus.clock().jump_ms(-3'600'000);
  bus.advance_ms(1'001);
  EXPECT_EQ(leased(1, "bob"), Texts{"one"});
  ASSERT_TRUE(bus.nack(last, 500, false));
  bus.clock().jump_ms(-3'600'000);
  bus.advance_ms(501);
  EXPECT_EQ(leased(1, "bob"), Texts{"one"});
  bus.clock().jump_ms(-3'600'000);
  crash_and_reopen();
  bus.advance_ms(1'001);
  EXPECT_EQ(leased(1), Texts{"one"});
}

TEST_P(BrokerTest, AClockThatIsSetForwardEndsNoLease) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  bus.clock().jump_ms(3'600'000);
  bus.advance_ms(500);
  EXPECT_TRUE(leased(1, "bob").empty());
  EXPECT_TRUE(bus.ack(last));
}

TEST_P(BrokerTest, ConversationsKeepTheirOrder) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  for (const char* text : {"a1", "a2", "b1", "a3"})
    ASSERT_TRUE(bus.publish(message_of("in", text, std::string(1, text[0]))));
  EXPECT_EQ(leased(9), (Texts{"a1", "b1"}));
  EXPECT_TRUE(leased(9).empty());
  bus.advance_ms(1'001);  // both come back; a2 still waits
  EXPECT_EQ(leased(1), Texts{"a1"});
  ASSERT_TRUE(bus.nack(last, 500));
  EXPECT_EQ(leased(9), Texts{"b1"});
  bus.advance_ms(500);
  EXPECT_EQ(leased(9), Texts{"a1"});
  ASSERT_TRUE(bus.ack(last));
  EXPECT_EQ(leased(9), Texts{"a2"});
}

TEST_P(BrokerTest, AWaitingConsumerIsServedTimedOutOrCancelled) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  const auto wait = [&](std::int64_t ms, const std::string& consumer) {
    return bus.begin<std::vector<Delivery>>(
        [&](auto done) { bus.broker().lease("g", consumer, 1, ms, done); });
  };
  const auto served = wait(1'000, "ann");
  const auto timed_out = wait(1'000, "bob");
  const auto cancelled = wait(1'000, "eve");
  bus.settle();
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  bus.settle();
  ASSERT_TRUE(served->has_value());
  EXPECT_EQ((*served)->value().size(), 1U);
  bus.broker().cancel_wait("g", "eve");
  bus.settle();
  ASSERT_TRUE(cancelled->has_value());
  EXPECT_TRUE((*cancelled)->value().empty());
  EXPECT_FALSE(timed_out->has_value());
  bus.loop().advance_ms(1'000);
  ASSERT_TRUE(timed_out->has_value());
  EXPECT_TRUE((*timed_out)->value().empty());
}

TEST_P(BrokerTest, DeadLettersAfterTheLastAttempt) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "poison", "c1")));
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_EQ(leased(1), Texts{"poison"});
    EXPECT_EQ(last.attempt, attempt);
    ASSERT_TRUE(bus.nack(last, 0, true, "cannot"));
  }
  EXPECT_TRUE(leased(1).empty());
  const auto letters = bus.read("dead.g");
  ASSERT_EQ(letters->messages.size(), 1U);
  const Message& letter = letters->messages.front().message;
  EXPECT_EQ(letter.text(), "poison");
  EXPECT_EQ(letter.conversation, "c1");
  EXPECT_EQ(letter.headers.at("x-dead-origin"), "in");
  EXPECT_EQ(letter.headers.at("x-dead-attempts"), "3");
  EXPECT_EQ(letter.headers.at("x-dead-reason"), "cannot");
}

TEST_P(BrokerTest, HandingBackDoesNotEatAttempts) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(leased(1), Texts{"one"});
    EXPECT_EQ(last.attempt, 1U);
    ASSERT_TRUE(bus.nack(last, 0, false));
  }
  EXPECT_TRUE(bus.read("dead.>")->messages.empty());
}

// A letter with all headers taken must still be readable after a restart.
TEST_P(BrokerTest, ADeadLetterKeepsToTheBoundsOfAMessage) {
  GroupSpec spec = group_of("in");
  spec.attempts_max = 1;
  ASSERT_TRUE(bus.create_group(spec));
  Message message = message_of("in", "poison");
  message.deadline_ms = bus.clock().wall_ms() + 100;
  for (std::size_t i = 0; i < kHeadersMax; ++i) message.headers["h" + std::to_string(i)] = "value";
  ASSERT_TRUE(bus.publish(message));
  EXPECT_EQ(leased(1).size(), 1U);
  ASSERT_TRUE(bus.nack(last, 0, true, std::string(5'000, 'x') + "好"));
  crash_and_reopen();
  const auto letters = bus.read("dead.g");
  ASSERT_EQ(letters->messages.size(), 1U);
  const Message& letter = letters->messages.front().message;
  EXPECT_TRUE(validate(letter));
  EXPECT_EQ(letter.deadline_ms, 0);
  EXPECT_LE(letter.headers.at("x-dead-reason").size(), 1'024U);
}

// Two groups that see each other's letters would pass them on for ever.
TEST_P(BrokerTest, ADeadLetterThatDiesStaysWhereItIs) {
  for (const char* name : {"g", "h"}) {
    GroupSpec spec = group_of(">", name);
    spec.attempts_max = 1;
    ASSERT_TRUE(bus.create_group(spec));
  }
  ASSERT_TRUE(bus.publish(message_of("in", "poison")));
  for (int round = 0; round < 20; ++round) {
    for (const char* name : {"g", "h"}) {
      const auto deliveries = bus.lease(name, "ann", 10);
      ASSERT_TRUE(deliveries);
      for (const Delivery& delivery : *deliveries) ASSERT_TRUE(bus.nack(delivery));
    }
  }
  EXPECT_EQ(bus.read(">")->messages.size(), 3U);  // the message and a letter of each group
  EXPECT_TRUE(bus.lease("g", "ann", 10)->empty());
}

TEST_P(BrokerTest, AMessagePastItsDeadlineIsNotDelivered) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  Message late = message_of("in", "late");
  late.deadline_ms = bus.clock().wall_ms() + 100;
  ASSERT_TRUE(bus.publish(late));
  ASSERT_TRUE(bus.publish(message_of("in", "other")));
  bus.advance_ms(100);
  EXPECT_EQ(leased(9), Texts{"other"});
  EXPECT_TRUE(leased(9).empty());
}

TEST_P(BrokerTest, ACommitIsAllOrNone) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  const auto commit = [&](std::uint64_t offset) {
    Commit all;
    all.publish = {message_of("out", "answer")};
    all.ack = {{"g", offset, last.attempt}};
    all.events = {{0, "c", last.message.id, "decision", Json{{"route", "x"}}}};
    return bus.call<std::vector<Published>>(
        [&](auto done) { bus.broker().commit(std::move(all), done); });
  };
  EXPECT_EQ(commit(last.offset + 7).error().code, Code::kConflict);
  EXPECT_TRUE(bus.read("out")->messages.empty());
  ASSERT_TRUE(commit(last.offset));
  crash_and_reopen();
  EXPECT_EQ(bus.read("out")->messages.size(), 1U);
  bus.advance_ms(2'000);
  EXPECT_TRUE(leased(1).empty());
}

TEST_P(BrokerTest, GroupsStartWhereTheyAreTold) {
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(bus.publish(message_of("in", text)));
  GroupSpec now = group_of("in", "now");
  now.start.at = GroupStart::At::kNow;
  GroupSpec second = group_of("in", "second");
  second.start = {GroupStart::At::kOffset, 1};
  GroupSpec future = group_of("in", "future");
  future.start = {GroupStart::At::kOffset, 7};
  for (const GroupSpec& spec : {now, second, future}) ASSERT_TRUE(bus.create_group(spec));
  ASSERT_TRUE(bus.publish(message_of("in", "four")));  // offset 6
  ASSERT_TRUE(bus.publish(message_of("in", "five")));  // offset 7
  EXPECT_EQ(bus.lease("now", "a", 9)->size(), 2U);
  EXPECT_EQ(bus.lease("second", "a", 9)->size(), 4U);
  EXPECT_EQ(bus.lease("future", "a", 9)->size(), 1U);
}

TEST_P(BrokerTest, GroupsAreMadeOnceAndDeleted) {
  const GroupSpec spec = group_of("in.*");
  ASSERT_TRUE(bus.create_group(spec));
  ASSERT_TRUE(bus.create_group(spec));
  GroupSpec other = spec;
  other.lease_ms = 99;
  EXPECT_EQ(bus.create_group(other).error().code, Code::kAlreadyExists);
  other.name = "bad";
  other.lease_ms = 1;
  EXPECT_EQ(bus.create_group(other).error().code, Code::kInvalidArgument);
  const auto waiting = bus.begin<std::vector<Delivery>>(
      [&](auto done) { bus.broker().lease("g", "ann", 1, 60'000, done); });
  bus.settle();
  ASSERT_TRUE(bus.call<void>([&](auto done) { bus.broker().delete_group("g", done); }));
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->error().code, Code::kNotFound);
  EXPECT_EQ(bus.lease("g", "ann").error().code, Code::kNotFound);
  crash_and_reopen();
  EXPECT_EQ(bus.lease("g", "ann").error().code, Code::kNotFound);
  ASSERT_TRUE(bus.publish(message_of("in.x", "after")));
}

TEST_P(BrokerTest, SubscriptionsReplayThenFollow) {
  for (int i = 0; i < 600; ++i)
    ASSERT_TRUE(bus.publish(message_of("t." + std::to_string(i % 3), std::to_string(i))));
  Texts all;
  Texts one;
  Texts live;
  const auto into = [](Texts& texts) {
    return [&texts](const StoredMessage& stored) { texts.push_back(stored.message.text()); };
  };
  const auto id = bus.broker().subscribe("t.*", 0, into(all));
  bus.broker().subscribe("t.1", 300, into(one));
  bus.broker().subscribe(">", std::nullopt, into(live));
  bus.broker().subscribe("bad..pattern", 0, into(live));
  bus.loop().advance_ms(1);
  ASSERT_TRUE(bus.publish(message_of("t.1", "new")));
  bus.settle();
  EXPECT_EQ(all.size(), 601U);
  EXPECT_EQ(all[599], "599");
  EXPECT_EQ(one.size(), 101U);
  EXPECT_EQ(one.front(), "301");
  EXPECT_EQ(live, Texts{"new"});
  bus.broker().unsubscribe(id);
  ASSERT_TRUE(bus.publish(message_of("t.1", "newer")));
  bus.settle();
  EXPECT_EQ(all.size(), 601U);
  EXPECT_EQ(live.size(), 2U);
}

TEST_P(BrokerTest, RequestsAreAnsweredOrTimeOut) {
  const auto ask = [&](std::int64_t timeout_ms) {
    return bus.begin<Message>(
        [&](auto done) { bus.broker().request(message_of("ask", "what?"), timeout_ms, done); });
  };
  const auto nobody = ask(100);
  bus.settle();
  ASSERT_TRUE(nobody->has_value());
  EXPECT_EQ((*nobody)->error().code, Code::kNotFound);

  std::string inbox;
  bus.broker().subscribe("ask", std::nullopt,
                         [&](const StoredMessage& stored) { inbox = stored.message.reply_to; });
  const auto answered = ask(100);
  bus.settle();
  ASSERT_FALSE(inbox.empty());
  ASSERT_TRUE(bus.publish(message_of(inbox, "that")));
  ASSERT_TRUE(bus.publish(message_of(inbox, "a second answer is only stored")));
  bus.settle();
  ASSERT_TRUE(answered->has_value());
  EXPECT_EQ((*answered)->value().text(), "that");

  const auto late = ask(100);
  bus.advance_ms(100);
  ASSERT_TRUE(late->has_value());
  EXPECT_EQ((*late)->error().code, Code::kDeadline);
}

TEST_P(BrokerTest, ReadsPages) {
  for (int i = 0; i < 25; ++i)
    ASSERT_TRUE(bus.publish(message_of(i % 2 == 0 ? "even.x" : "odd.x", std::to_string(i))));
  const auto first = bus.read("even.*", 0, 10);
  ASSERT_EQ(first->messages.size(), 10U);
  EXPECT_EQ(first->messages.back().message.text(), "18");
  const auto rest = bus.read("even.*", first->next, 10);
  EXPECT_EQ(rest->messages.size(), 3U);
  EXPECT_TRUE(bus.read("even.*", rest->next, 10)->messages.empty());
  EXPECT_EQ(bus.read("a b").error().code, Code::kInvalidArgument);
  const auto topics =
      bus.call<std::vector<TopicInfo>>([&](auto done) { bus.broker().topics(done); });
  ASSERT_EQ(topics->size(), 2U);
  EXPECT_EQ(topics->front().subject, "even.x");
  EXPECT_EQ(topics->front().messages, 13U);
  EXPECT_EQ(topics->front().last, 24U);
}

TEST_P(BrokerTest, TellsHowGroupsStand) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  for (const char* text : {"one", "two", "three"}) ASSERT_TRUE(bus.publish(message_of("in", text)));
  EXPECT_EQ(leased(2).size(), 2U);
  ASSERT_TRUE(bus.ack(last));
  bus.advance_ms(500);
  const auto groups =
      bus.call<std::vector<GroupInfo>>([&](auto done) { bus.broker().groups(done); });
  ASSERT_EQ(groups->size(), 1U);
  EXPECT_EQ(groups->front().waiting, 1U);
  EXPECT_EQ(groups->front().leased, 1U);
  EXPECT_EQ(groups->front().acked, 1U);
  EXPECT_EQ(groups->front().oldest_waiting_ms, 500);
}

TEST_P(BrokerTest, StopAnswersWhatWaitsAndKeepsASnapshot) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1), Texts{"one"});
  const auto waiting = bus.begin<std::vector<Delivery>>(
      [&](auto done) { bus.broker().lease("g", "bob", 1, 60'000, done); });
  bus.settle();
  bus.stop();
  ASSERT_TRUE(waiting->has_value());
  EXPECT_EQ((*waiting)->error().code, Code::kUnavailable);
  ASSERT_TRUE(bus.open());
  EXPECT_EQ((*bus.log().load_snapshot())->next_offset, 3U);
  bus.advance_ms(1'001);
  EXPECT_EQ(leased(1), Texts{"one"});
  EXPECT_EQ(last.attempt, 2U);
}

// Snapshots in the middle of work, with records behind them, give the same state as the log.
TEST_P(BrokerTest, ASnapshotWhileOthersPublishIsWritten) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "before")));
  const auto written = bus.begin<void>([&](auto done) { bus.broker().snapshot(done); });
  for (int i = 0; !written->has_value() && i < 100'000; ++i) {
    bus.broker().publish({message_of("in", "during")}, [](const auto&) {});
    bus.run();
  }
  ASSERT_TRUE(written->has_value() && **written);
  ASSERT_TRUE(bus.publish(message_of("in", "after")));
  const auto count = [this] {
    const auto groups =
        bus.call<std::vector<GroupInfo>>([&](auto done) { bus.broker().groups(done); });
    return groups->front().waiting + groups->front().leased;
  };
  const std::uint64_t waiting = count();
  crash_and_reopen();
  EXPECT_TRUE(bus.log().load_snapshot()->has_value());
  EXPECT_EQ(leased(1), Texts{"before"});
  EXPECT_EQ(count(), waiting);
}

TEST_P(BrokerTest, WhatAConsumerOfThisProcessHeldIsFreeAfterARestart) {
  ASSERT_TRUE(bus.create_group(group_of("in")));
  ASSERT_TRUE(bus.publish(message_of("in", "one")));
  EXPECT_EQ(leased(1, "flow/shop"), Texts{"one"});
  bus.settle();
  crash_and_reopen();
  EXPECT_EQ(leased(1, "flow/shop"), Texts{"one"});
  EXPECT_EQ(last.attempt, 1U);
}

}  // namespace
}  // namespace qiao
