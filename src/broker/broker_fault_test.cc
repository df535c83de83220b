// SPDX-License-Identifier: Apache-2.0
// What the broker does when the log is full, fails, or does not fit its snapshot.
#include <gtest/gtest.h>

#include "base/logging.h"
#include "broker/broker.h"
#include "broker/testing/broker_harness.h"

namespace qiao {
namespace {

using testing::BrokerHarness;
using testing::FaultyDisk;
using Kind = BrokerHarness::Kind;

// A log that refuses when told to.
class FullLog final : public Log {
 public:
  bool full = false;

  Result<std::uint64_t> append(std::vector<LogRecord> batch, AppendDone done) override {
    if (full) return overloaded("the log is full");
    return under_.append(std::move(batch), std::move(done));
  }
  Result<std::vector<LogEntry>> read(std::uint64_t from, std::size_t count_max,
                                     std::size_t bytes_max) override {
    return under_.read(from, count_max, bytes_max);
  }
  Status trim(std::uint64_t floor) override { return under_.trim(floor); }
  Status save_snapshot(const Snapshot& snapshot) override { return under_.save_snapshot(snapshot); }
  Result<std::optional<Snapshot>> load_snapshot() override { return under_.load_snapshot(); }
  [[nodiscard]] LogBounds bounds() const override { return under_.bounds(); }
  [[nodiscard]] Durability durability() const override { return under_.durability(); }
  Status close() override { return under_.close(); }

 private:
  MemoryLog under_;
};

class FullLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kOff);
    auto opened = Broker::open(log, loop, clock, ids, metrics);
    ASSERT_TRUE(opened);
    broker = std::move(*opened);
  }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  Status publish(const std::string& text) {
    Status status;
    broker->publish({text_message("in", text)}, [&](const auto& result) {
      status = result ? Status() : Status(result.error());
    });
    loop.run();
    return status;
  }
  std::vector<std::string> leased() {
    std::vector<std::string> texts;
    broker->lease("g", "ann", 10, 0, [&](const Result<std::vector<Delivery>>& deliveries) {
      ASSERT_TRUE(deliveries);
      for (const Delivery& delivery : *deliveries) texts.push_back(delivery.message.text());
    });
    loop.run();
    return texts;
  }
  void make_group(std::int64_t lease_ms) {
    GroupSpec spec;
    spec.name = "g";
    spec.pattern = "in";
    spec.lease_ms = lease_ms;
    broker->create_group(spec, [](const Status& status) { ASSERT_TRUE(status); });
    loop.run();
  }

  testing::ManualClock clock;
  testing::ManualExecutor loop{clock};
  IdMaker ids{clock, 1};
  Metrics metrics;
  FullLog log;
  std::unique_ptr<Broker> broker;
};

// The body of a refused message must not stand in for the one that gets its offset later.
TEST_F(FullLogTest, ARefusedPublishLeavesNothingBehind) {
  make_group(1'000);
  log.full = true;
  EXPECT_EQ(publish("refused").error().code, Code::kOverloaded);
  log.full = false;
  ASSERT_TRUE(publish("accepted"));
  EXPECT_EQ(leased(), std::vector<std::string>{"accepted"});
}

TEST_F(FullLogTest, ALeaseThatCannotBeEndedIsTriedAgain) {
  make_group(100);
  ASSERT_TRUE(publish("one"));
  EXPECT_EQ(leased().size(), 1U);
  log.full = true;
  loop.advance_ms(110);  // some tries, not one for ever
  log.full = false;
  loop.advance_ms(5);
  EXPECT_EQ(leased().size(), 1U);
}

TEST_F(FullLogTest, PastItsBoundCallsAreRefusedAtOnceButEndingsAreNot) {
  BrokerOptions options;
  options.commands_max = 2;
  MemoryLog memory;
  auto small = Broker::open(memory, loop, clock, ids, metrics, options);
  ASSERT_TRUE(small);
  int sunk = 0;
  const auto id = (*small)->subscribe("in", std::nullopt, [&](const auto&) { ++sunk; });
  loop.run();
  std::vector<Code> refused;
  int accepted = 0;
  for (int i = 0; i < 5; ++i) {
    (*small)->publish({text_message("out", "x")}, [&](const auto& result) {
      result ? static_cast<void>(++accepted) : refused.push_back(result.error().code);
    });
  }
  EXPECT_EQ(refused, std::vector<Code>(3, Code::kOverloaded));
  (*small)->unsubscribe(id);
  loop.run();
  EXPECT_EQ(accepted, 2);
  (*small)->publish({text_message("in", "x")}, [](const auto&) {});
  loop.run();
  EXPECT_EQ(sunk, 0);
}

TEST(BrokerFault, AFailedLogAnswersEverybodyWithItsError) {
  set_log_level(LogLevel::kOff);
  BrokerHarness bus(Kind::kSegments);
  ASSERT_TRUE(bus.open());
  GroupSpec spec;
  spec.name = "g";
  spec.pattern = "in";
  ASSERT_TRUE(bus.create_group(spec));
  const auto waiting = bus.begin<std::vector<Delivery>>(
      [&](auto done) { bus.broker().lease("g", "ann", 1, 60'000, done); });
  const auto asking = bus.begin<Message>(
      [&](auto done) { bus.broker().request(text_message("other", "x"), 60'000, done); });
  bus.broker().subscribe("ask", std::nullopt, [](const auto&) {});
  const auto asked = bus.begin<Message>(
      [&](auto done) { bus.broker().request(text_message("ask", "x"), 60'000, done); });
  bus.settle();
  EXPECT_EQ((*asking)->error().code, Code::kNotFound);
  bus.disk().fail_after(1);
  const auto failed = bus.publish(text_message("in", "lost"));
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("the disk failed"), std::string::npos);
  ASSERT_TRUE(waiting->has_value() && asked->has_value());
  EXPECT_EQ((*waiting)->error(), failed.error());
  EXPECT_EQ((*asked)->error(), failed.error());
  EXPECT_EQ(bus.publish(text_message("in", "later")).error(), failed.error());
  EXPECT_TRUE(bus.read("in"));
  bus.stop();  // does not hang
  set_log_level(LogLevel::kInfo);
}

// The subscriber and the group must not see what a crash then takes back.
TEST(BrokerFault, NobodySeesAMessageBeforeItIsDurable) {
  BrokerHarness bus(Kind::kSegments);
  ASSERT_TRUE(bus.open());
  GroupSpec spec;
  spec.name = "g";
  spec.pattern = "in";
  ASSERT_TRUE(bus.create_group(spec));
  int seen = 0;
  bus.broker().subscribe("in", std::nullopt, [&](const StoredMessage& stored) {
    EXPECT_GT(bus.log().bounds().durable, stored.offset);
    ++seen;
  });
  for (int i = 0; i < 200; ++i) {
    bus.broker().publish({text_message("in", "x")}, [](const auto&) {});
    bus.broker().lease("g", "ann", 10, 0, [&](const Result<std::vector<Delivery>>& deliveries) {
      ASSERT_TRUE(deliveries);
      for (const Delivery& delivery : *deliveries)
        EXPECT_GT(bus.log().bounds().durable, delivery.offset);
    });
    bus.run();
  }
  bus.settle();
  EXPECT_EQ(seen, 200);
}

// A crash may take the other one back: who heard of it would wait for what is not there.
TEST(BrokerFault, ARefusalNamesOnlyWhatIsDurable) {
  BrokerHarness bus(Kind::kSegments);
  ASSERT_TRUE(bus.open());
  for (std::uint64_t i = 0; i < 50; ++i) {
    bus.broker().publish({text_message("in", "first", "lane")}, [](const auto&) {});
    Commit late;
    late.publish = {text_message("in", "late", "lane")};
    late.expected = {{0, std::nullopt}};
    bool refused = false;
    bus.broker().commit(std::move(late), [&](const Result<std::vector<Published>>& published) {
      ASSERT_FALSE(published);
      EXPECT_EQ(published.error().code, Code::kConflict);
      EXPECT_GT(bus.log().bounds().durable, i);
      refused = true;
    });
    bus.settle();
    ASSERT_TRUE(refused);
  }
}

// A crash may take the ack back: who was given the next message by then would see its conversation
// go backwards.
TEST(BrokerFault, TheNextOfALaneIsHandedOutWhenTheAckIsDurable) {
  BrokerHarness bus(Kind::kSegments);
  ASSERT_TRUE(bus.open());
  GroupSpec spec;
  spec.name = "g";
  spec.pattern = "in";
  ASSERT_TRUE(bus.create_group(spec));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(bus.publish(text_message("in", "x", "lane")));
  for (int i = 0; i < 50; ++i) {
    const auto first = bus.lease("g", "ann");
    ASSERT_TRUE(first && first->size() == 1);
    const LeaseRef lease = lease_of(first->front());
    bool acked = false;
    bus.broker().ack({lease}, [&](const Status& status) { acked = status.has_value(); });
    bus.broker().lease("g", "bob", 1, 0, [&](const Result<std::vector<Delivery>>& next) {
      ASSERT_TRUE(next);
      EXPECT_TRUE(next->empty() || acked);
      if (!next->empty())
        bus.broker().nack({"g", next->front().offset, 0}, 0, false, "", [](const auto&) {});
    });
    bus.settle();
    ASSERT_TRUE(acked);
  }
}

TEST(BrokerFault, ALogShorterThanItsSnapshotIsCorrupt) {
  BrokerHarness bus(Kind::kSegments);
  ASSERT_TRUE(bus.open());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(bus.publish(text_message("in", "x")));
  bus.stop();
  ASSERT_TRUE(bus.disk().remove("data/00000000000000000000.seg"));
  const Status opened = bus.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kCorrupt);
}

TEST(BrokerFault, ATrimmedLogNeedsItsSnapshot) {
  BrokerHarness bus(Kind::kSegments);
  bus.segments().segment_bytes = 2'000;
  ASSERT_TRUE(bus.open());
  GroupSpec spec;
  spec.name = "g";
  spec.pattern = "in";
  ASSERT_TRUE(bus.create_group(spec));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(bus.publish(text_message("in", std::string(300, 'x'))));
  ASSERT_TRUE(bus.call<void>([&](auto done) { bus.broker().snapshot(done); }));
  ASSERT_TRUE(bus.log().trim(20));
  bus.crash();
  ASSERT_TRUE(bus.open());
  EXPECT_GT(bus.log().bounds().first, 0U);
  EXPECT_TRUE(bus.publish(text_message("in", "after")));
  bus.crash();
  ASSERT_TRUE(bus.disk().remove("data/00000000000000000051.snap"));
  EXPECT_EQ(bus.open().error().code, Code::kCorrupt);
}

// Whole files below every floor go: the oldest kept message, the open ones, the snapshot before,
// and what others still read.
// A crash may bring back what was removed: no reader may have gone past it by then.
TEST(BrokerFault, NoReaderPassesWhatMayComeBack) {
  BrokerHarness bus(Kind::kSegments);
  ASSERT_TRUE(bus.open());
  TopicSpec spec;
  spec.pattern = "in";
  spec.retain_messages = 1;
  ASSERT_TRUE(bus.call<void>([&](auto done) { bus.broker().set_topic(spec, done); }));
  ASSERT_TRUE(bus.publish(text_message("in", "first")));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(bus.publish(text_message("in", "next")));
    bus.loop().advance_ms(Broker::kKeepEveryMs);
    const std::uint64_t removed = bus.log().bounds().next;
    int passed = 0;
    const auto seen = [&] {
      EXPECT_GE(bus.log().bounds().durable, removed);
      ++passed;
    };
    bus.broker().read("in", 0, 10, [&](const Result<Page>& page) {
      ASSERT_TRUE(page);
      ASSERT_EQ(page->messages.size(), 1U);
      seen();
    });
    const auto reader = bus.broker().subscribe("in", 0, [&](const StoredMessage&) { seen(); });
    bus.run();
    bus.settle();
    EXPECT_EQ(passed, 2);
    bus.broker().unsubscribe(reader);
  }
}

TEST(BrokerFault, RetentionTrimsTheLog) {
  std::uint64_t needed_from = 0;
  BrokerOptions options;
  options.needed_from = [&needed_from] { return needed_from; };
  BrokerHarness bus(Kind::kSegments, options);
  bus.segments().segment_bytes = 2'000;
  ASSERT_TRUE(bus.open());
  GroupSpec group;
  group.name = "g";
  group.pattern = "slow";
  ASSERT_TRUE(bus.create_group(group));
  const auto snapshot = [&] {
    ASSERT_TRUE(bus.call<void>([&](auto done) { bus.broker().snapshot(done); }));
  };
  TopicSpec spec;
  spec.pattern = ">";
  spec.retain_messages = 5;
  ASSERT_TRUE(bus.call<void>([&](auto done) { bus.broker().set_topic(spec, done); }));
  const auto publish_many = [&] {
    for (int i = 0; i < 50; ++i) {
      Message message = text_message("in", std::string(300, 'x'));
      message.id = "m" + std::to_string(bus.log().bounds().next);
      ASSERT_TRUE(bus.publish(message));
    }
    bus.advance_ms(1'000);
  };
  const auto slow = bus.publish(text_message("slow", "slow"));
  ASSERT_TRUE(slow);
  publish_many();
  snapshot();
  snapshot();
  EXPECT_EQ(bus.log().bounds().first, 0U) << "others still read it";
  needed_from = UINT64_MAX;
  snapshot();
  EXPECT_LE(bus.log().bounds().first, slow->offset) << "a group has it open";
  const auto leased = bus.lease("g", "ann");
  ASSERT_TRUE(leased);
  ASSERT_EQ(leased->size(), 1U);
  ASSERT_TRUE(bus.ack(leased->front()));
  TopicSpec old;
  old.pattern = "slow";
  old.retain_ms = 1;
  ASSERT_TRUE(bus.call<void>([&](auto done) { bus.broker().set_topic(old, done); }));
  bus.advance_ms(1'000);
  publish_many();
  const std::uint64_t snapshot_before = bus.log().bounds().next;
  snapshot();
  const std::uint64_t first = bus.log().bounds().first;
  EXPECT_GT(first, slow->offset);
  publish_many();
  snapshot();
  const std::string newest = std::to_string(bus.log().bounds().next);
  EXPECT_GT(bus.log().bounds().first, first);
  EXPECT_LE(bus.log().bounds().first, snapshot_before);
  bus.crash();
  // The newest snapshot is lost: the one before and the log are enough.
  ASSERT_TRUE(bus.disk().remove("data/" + std::string(20 - newest.size(), '0') + newest + ".snap"));
  ASSERT_TRUE(bus.open());
  EXPECT_EQ(bus.read("in")->messages.size(), 5U);
  EXPECT_GT(bus.read("in")->messages.front().offset, first);
  // An id of the window whose message left the log is still known.
  Message again = text_message("in", "again");
  again.id = "m10";
  const auto published = bus.publish(again);
  ASSERT_TRUE(published);
  EXPECT_TRUE(published->duplicate);
  EXPECT_EQ(published->offset, 10U);
}

// Random work, random crashes: what was acked as published is there once, in order; what was
// acked by a consumer does not come again.
class BrokerCrash : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(BrokerCrash, KeepsEveryPromiseAcrossCrashes) {
  BrokerHarness bus(Kind::kSegments, {}, GetParam());
  bus.segments().segment_bytes = 4'000;
  ASSERT_TRUE(bus.open());
  GroupSpec spec;
  spec.name = "g";
  spec.pattern = "in.>";
  spec.lease_ms = 50;
  spec.attempts_max = 1'000;
  ASSERT_TRUE(bus.create_group(spec));
  Rng rng(GetParam());
  std::map<std::string, bool> published;  // id → sure
  std::map<std::string, bool> acked;
  int made = 0;
  for (int step = 0; step < 150; ++step) {
    const std::uint64_t what = rng.below(20);
    if (what < 9) {
      Message message = text_message("in." + std::to_string(rng.below(3)), "x",
                                     "c" + std::to_string(rng.below(4)));
      message.id = "m" + std::to_string(made++);
      const std::string id = message.id;
      published[id] = false;
      bus.broker().publish({message}, [&published, id](const auto& result) {
        if (result) published[id] = true;
      });
    } else if (what < 16) {
      const auto deliveries = bus.lease("g", "ann", 1 + rng.below(3));
      ASSERT_TRUE(deliveries);
      for (const Delivery& delivery : *deliveries) {
        EXPECT_FALSE(acked[delivery.message.id]) << delivery.message.id << " came again";
        if (rng.below(3) == 0) continue;
        if (bus.ack(delivery)) acked[delivery.message.id] = true;
      }
    } else if (what < 18) {
      bus.advance_ms(static_cast<std::int64_t>(rng.below(60)));
    } else if (what < 19) {
      bus.broker().snapshot([](const auto&) {});
      bus.run();
    } else {
      bus.crash(static_cast<FaultyDisk::Crash>(rng.below(3)));
      const Status opened = bus.open();
      ASSERT_TRUE(opened) << opened.error().message;
    }
  }
  bus.settle();
  std::map<std::string, int> kept;
  const auto page = bus.read("in.>");
  ASSERT_TRUE(page);
  for (const StoredMessage& stored : page->messages) ++kept[stored.message.id];
  for (const auto& [id, sure] : published) {
    EXPECT_LE(kept[id], 1) << id;
    EXPECT_TRUE(!sure || kept[id] == 1) << id;
  }
  // Everything not acked is still delivered, in the order of each conversation.
  std::map<std::string, std::uint64_t> last;
  for (int round = 0; round < 1'000; ++round) {
    bus.advance_ms(60);
    const auto deliveries = bus.lease("g", "bob", 100);
    if (deliveries->empty()) break;
    for (const Delivery& delivery : *deliveries) {
      EXPECT_FALSE(acked[delivery.message.id]);
      EXPECT_GE(delivery.offset, last[delivery.message.conversation]);
      last[delivery.message.conversation] = delivery.offset;
      ASSERT_TRUE(bus.ack(delivery));
      acked[delivery.message.id] = true;
    }
  }
  for (const auto& [id, count] : kept) EXPECT_EQ(acked[id], count == 1) << id;
}

INSTANTIATE_TEST_SUITE_P(Seeds, BrokerCrash, ::testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace qiao
