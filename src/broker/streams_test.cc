// SPDX-License-Identifier: Apache-2.0
#include "broker/streams.h"

#include <gtest/gtest.h>

#include "base/testing/manual_clock.h"
#include "broker/testing/broker_harness.h"

namespace qiao {
namespace {

using Kind = StreamEvent::Kind;
using testing::BrokerHarness;

StreamEvent event_of(const std::string& text, Kind kind = Kind::kText) {
  StreamEvent event;
  event.kind = kind;
  event.text = text;
  return event;
}

// "1.2:text " of each event; a reset is "!", the end is ".".
Streams::Sink into(std::string& seen) {
  return [&seen](const StreamEvent& event) {
    seen += to_text({event.attempt, event.offset}) + ":" + event.text;
    if (event.kind == Kind::kReset) seen += "!";
    if (event.kind == Kind::kEnd) seen += ".";
    seen += " ";
  };
}

// In memory only.
class StreamsTest : public ::testing::Test {
 protected:
  Status write(const std::string& text, Kind kind = Kind::kText, const std::string& stream = "m1") {
    auto& writer = writers[stream];
    if (writer == 0) {
      QIAO_ASSIGN(writer, streams.begin(stream));
    }
    return streams.write(stream, writer, event_of(text, kind));
  }

  testing::ManualClock clock;
  Streams streams{clock};
  std::map<std::string, Streams::WriterId> writers;
};

TEST_F(StreamsTest, ReadersAttachAtAnyOffsetAndFollow) {
  std::string early;
  std::string late;
  ASSERT_TRUE(streams.attach("m1", {}, {into(early)}));  // before the first word
  ASSERT_TRUE(write("a"));
  ASSERT_TRUE(write("b"));
  ASSERT_TRUE(streams.attach("m1", {1, 2}, {into(late)}));
  ASSERT_TRUE(write("", Kind::kReset));
  ASSERT_TRUE(write("c"));
  EXPECT_EQ(early, "1.1:a 1.2:b 1.3:! 1.4:c ");
  EXPECT_EQ(late, "1.2:b 1.3:! 1.4:c ");
}

TEST_F(StreamsTest, WhatAReaderIsBehindWithIsJoined) {
  for (const char* text : {"a", "b", "c"}) ASSERT_TRUE(write(text));
  ASSERT_TRUE(write("", Kind::kInfo));
  ASSERT_TRUE(write("d"));
  std::string seen;
  ASSERT_TRUE(streams.attach("m1", {}, {into(seen)}));
  EXPECT_EQ(seen, "1.3:abc 1.4: 1.5:d ");
  std::string resumed;
  ASSERT_TRUE(streams.attach("m1", {1, 3}, {into(resumed)}));
  EXPECT_EQ(resumed, "1.3:c 1.4: 1.5:d ");
}

TEST_F(StreamsTest, AReaderBehindTheEndIsTold) {
  ASSERT_TRUE(write("a"));
  int told = 0;
  std::string seen;
  const auto tell = [&told] { ++told; };
  ASSERT_TRUE(streams.attach("m1", {1, 9}, {into(seen), {}, tell}));
  EXPECT_EQ(told, 0);
  ASSERT_TRUE(write("", Kind::kEnd));
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(streams.attach("m1", {1, 3}, {into(seen), {}, tell}));
  EXPECT_EQ(told, 2);
  EXPECT_EQ(seen, "");
  ASSERT_TRUE(streams.attach("m1", {1, 2}, {into(seen), {}, tell}));
  EXPECT_EQ(told, 2);
  EXPECT_EQ(seen, "1.2:. ");
}

TEST_F(StreamsTest, ADetachedReaderHearsNothingMore) {
  std::string text;
  const auto reader = streams.attach("m1", {}, {into(text)});
  ASSERT_TRUE(reader);
  ASSERT_TRUE(write("a"));
  streams.detach("m1", *reader);
  streams.detach("m1", *reader);
  streams.detach("unknown", *reader);
  ASSERT_TRUE(write("b"));
  EXPECT_EQ(text, "1.1:a ");
}

TEST_F(StreamsTest, NothingFollowsTheEnd) {
  ASSERT_TRUE(write("a"));
  ASSERT_TRUE(write("", Kind::kEnd));
  EXPECT_EQ(write("b").error().code, Code::kPrecondition);
  std::string text;
  ASSERT_TRUE(streams.attach("m1", {}, {into(text)}));  // the whole answer is kept for a while
  EXPECT_EQ(text, "1.1:a 1.2:. ");
}

TEST_F(StreamsTest, TheEndIsShownWhenItsCommitIsThere) {
  std::string text;
  ASSERT_TRUE(streams.attach("m1", {}, {into(text)}));
  ASSERT_TRUE(write("a"));
  streams.prepare_end("m1", writers["m1"], {event_of("x"), event_of("", Kind::kEnd)});
  streams.prepare_end("m1", writers["m1"], {event_of("b"), event_of("", Kind::kEnd)});
  EXPECT_EQ(text, "1.1:a ");
  streams.show_end("m1", writers["m1"]);
  EXPECT_EQ(text, "1.1:a 1.2:b 1.3:. ");
  EXPECT_EQ(write("c").error().code, Code::kPrecondition);
}

TEST_F(StreamsTest, ANewAttemptSupersedesTheOld) {
  std::string follower;
  ASSERT_TRUE(streams.attach("m1", {}, {into(follower)}));
  ASSERT_TRUE(write("a"));
  const auto second = streams.begin("m1");
  ASSERT_TRUE(second);
  EXPECT_EQ(write("late").error().code, Code::kConflict);
  ASSERT_TRUE(streams.write("m1", *second, event_of("b")));
  EXPECT_EQ(follower, "1.1:a 2.0:! 2.1:b ");
  std::string back;
  ASSERT_TRUE(streams.attach("m1", {1, 2}, {into(back)}));
  EXPECT_EQ(back, "2.0:! 2.1:b ");
}

TEST_F(StreamsTest, AReaderIsToldThatNobodyWrites) {
  int told = 0;
  std::string seen;
  ASSERT_TRUE(streams.attach("m1", {}, {into(seen), [&told] { ++told; }}));
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(write("a"));
  ASSERT_TRUE(streams.attach("m1", {}, {into(seen), [&told] { ++told; }}));
  EXPECT_EQ(told, 1);
}

TEST_F(StreamsTest, AnAnswerHasABoundButCanAlwaysEnd) {
  const std::string big(Streams::kStreamBytesMax, 'x');
  ASSERT_TRUE(write(big));
  EXPECT_EQ(write("y").error().code, Code::kOverloaded);
  EXPECT_TRUE(write("stopped", Kind::kEnd));
}

TEST_F(StreamsTest, OldStreamsWithoutReadersGo) {
  std::string kept;
  ASSERT_TRUE(streams.attach("read", {}, {into(kept)}));
  ASSERT_TRUE(write("a", Kind::kText, "old"));
  ASSERT_TRUE(write("", Kind::kEnd, "old"));
  ASSERT_TRUE(write("a", Kind::kText, "read"));
  ASSERT_TRUE(write("a", Kind::kText, "written"));
  clock.advance_ms(Streams::kKeptMs + 1);
  ASSERT_TRUE(write("a", Kind::kText, "new"));
  std::string old;
  ASSERT_TRUE(streams.attach("old", {}, {into(old)}));
  EXPECT_EQ(old, "");
  ASSERT_TRUE(write("b", Kind::kText, "read"));
  EXPECT_EQ(kept, "1.1:a 1.2:b ");
  ASSERT_TRUE(write("b", Kind::kText, "written"));
}

TEST_F(StreamsTest, PastTheBoundNewStreamsAreRefusedUntilOldOnesGo) {
  for (std::size_t i = 0; i < Streams::kStreamsMax; ++i)
    ASSERT_TRUE(streams.begin(std::to_string(i)));
  EXPECT_EQ(streams.begin("more").error().code, Code::kOverloaded);
  EXPECT_TRUE(write("b", Kind::kText, "7"));
  clock.advance_ms(Streams::kAbandonedMs + 1);
  EXPECT_TRUE(streams.begin("more"));
}

// Over a log.
class DurableStreamsTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    ASSERT_TRUE(bus.open());
    metrics = std::make_unique<Metrics>();
    streams = std::make_unique<Streams>(bus.clock(), bus.broker(), bus.loop(), *metrics);
  }
  void crash() {
    streams.reset();
    bus.crash();
  }
  Streams::WriterId begin() {
    const auto writer = streams->begin("m1");
    EXPECT_TRUE(writer);
    bus.settle();
    return writer.value_or(0);
  }
  void write(Streams::WriterId writer, const std::string& text) {
    EXPECT_TRUE(streams->write("m1", writer, event_of(text)));
  }
  void commit(std::vector<record::Chunk> chunks) {
    Commit commit;
    commit.chunks = std::move(chunks);
    EXPECT_TRUE(bus.call<std::vector<Published>>(
        [&](auto done) { bus.broker().commit(commit, std::move(done)); }));
  }
  std::string read(StreamPlace from) {
    std::string seen;
    const auto reader = streams->attach("m1", from, {into(seen)});
    EXPECT_TRUE(reader);
    bus.settle();
    streams->detach("m1", reader.value_or(0));
    return seen;
  }
  std::size_t chunks() {
    std::size_t count = 0;
    const auto entries = bus.log().read(0, 100'000, 1 << 30);
    for (const LogEntry& entry : entries.value())
      count += std::holds_alternative<record::Chunk>(decode_record(entry.record).value()) ? 1 : 0;
    return count;
  }

  BrokerHarness bus{BrokerHarness::Kind::kSegments};
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<Streams> streams;
};

TEST_F(DurableStreamsTest, TokensAreSealedTogetherNotOneByOne) {
  const auto writer = begin();
  for (int i = 0; i < 1'000; ++i) write(writer, "token ");
  bus.settle();
  EXPECT_EQ(chunks(), 2U);  // its opening, and the size's bound
  bus.advance_ms(Streams::kSealMs);
  EXPECT_EQ(chunks(), 3U);
  bus.advance_ms(Streams::kSealMs * 4);
  EXPECT_EQ(chunks(), 3U);
}

TEST_F(DurableStreamsTest, NothingIsShownBeforeItsAttemptIsDurable) {
  std::string seen;
  ASSERT_TRUE(streams->attach("m1", {}, {into(seen)}));
  bus.settle();
  const auto writer = streams->begin("m1");
  ASSERT_TRUE(writer);
  write(*writer, "a");
  EXPECT_EQ(seen, "");
  bus.settle();
  EXPECT_EQ(seen, "1.1:a ");
}

TEST_F(DurableStreamsTest, WhatWasSealedIsReadAfterACrash) {
  const auto writer = begin();
  write(writer, "a");
  write(writer, "b");
  bus.advance_ms(Streams::kSealMs);
  write(writer, "lost");
  crash();
  open();
  EXPECT_EQ(read({}), "1.2:ab ");
  EXPECT_EQ(read({1, 2}), "1.2:b ");
}

TEST_F(DurableStreamsTest, TheNextAttemptSupersedesTheLostTail) {
  auto writer = begin();
  write(writer, "a");
  bus.advance_ms(Streams::kSealMs);
  write(writer, "lost");
  EXPECT_EQ(read({}), "1.2:alost ");
  crash();
  open();
  std::string seen;
  ASSERT_TRUE(streams->attach("m1", {1, 3}, {into(seen)}));  // behind what is left
  bus.settle();
  EXPECT_EQ(seen, "");
  writer = begin();
  write(writer, "A");
  EXPECT_EQ(seen, "2.0:! 2.1:A ");
  EXPECT_EQ(read({1, 1}), "2.0:! 2.1:A ");
  EXPECT_EQ(read({2, 1}), "2.1:A ");
}

TEST_F(DurableStreamsTest, AttemptsRiseOverCrashesWithoutASealedWord) {
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    const auto writer = begin();
    write(writer, "x");
    EXPECT_EQ(read({attempt, 1}), std::to_string(attempt) + ".1:x ");
    crash();
    open();
  }
}

TEST_F(DurableStreamsTest, TheEndIsInTheCommit) {
  const auto writer = begin();
  write(writer, "a");
  const auto chunk = streams->prepare_end("m1", writer, {event_of("b"), event_of("", Kind::kEnd)});
  ASSERT_TRUE(chunk);
  commit({*chunk});
  streams->show_end("m1", writer);
  EXPECT_EQ(read({}), "1.2:ab 1.3:. ");
  crash();
  open();
  EXPECT_EQ(read({}), "1.2:ab 1.3:. ");
  EXPECT_EQ(read({1, 3}), "1.3:. ");
}

TEST_F(DurableStreamsTest, AnEndBeforeTheAttemptHasItsNumberIsKeptToo) {
  const auto writer = streams->begin("m1");
  ASSERT_TRUE(writer);
  write(*writer, "quick");
  const auto chunk = streams->prepare_end("m1", *writer, {event_of("", Kind::kEnd)});
  ASSERT_TRUE(chunk);
  commit({*chunk});
  streams->show_end("m1", *writer);
  crash();
  open();
  EXPECT_EQ(read({}), "1.1:quick 1.2:. ");
}

TEST_F(DurableStreamsTest, ALateEndOfAnOldAttemptIsLeftOut) {
  const auto first = begin();
  write(first, "old");
  const auto chunk = streams->prepare_end("m1", first, {event_of("", Kind::kEnd)});
  ASSERT_TRUE(chunk);
  const auto second = begin();
  write(second, "new");
  commit({*chunk});
  streams->show_end("m1", first);
  bus.advance_ms(Streams::kSealMs);
  crash();
  open();
  EXPECT_EQ(read({}), "2.0:! 2.1:new ");
}

TEST_F(DurableStreamsTest, ASnapshotAndAnOrderlyEndKeepStreams) {
  const auto writer = begin();
  write(writer, "a");
  streams->flush();
  streams.reset();
  bus.stop();
  open();
  EXPECT_EQ(read({}), "1.1:a ");
}

TEST_F(DurableStreamsTest, FinishedStreamsLeaveMemoryAndComeBackFromTheLog) {
  const auto writer = begin();
  write(writer, "a");
  const auto chunk = streams->prepare_end("m1", writer, {event_of("", Kind::kEnd)});
  ASSERT_TRUE(chunk);
  commit({*chunk});
  streams->show_end("m1", writer);
  bus.advance_ms(Streams::kKeptMs + 1);
  ASSERT_TRUE(streams->begin("other"));  // sweeps
  bus.settle();
  bool told = false;
  std::string seen;
  ASSERT_TRUE(streams->attach("m1", {1, 3}, {into(seen), {}, [&told] { told = true; }}));
  bus.settle();
  EXPECT_TRUE(told);
  EXPECT_EQ(read({1, 1}), "1.1:a 1.2:. ");
}

TEST_F(DurableStreamsTest, FinishedStreamsMakeRoomAtOnceWhenRoomIsNeeded) {
  const auto writer = begin();
  const auto chunk = streams->prepare_end("m1", writer, {event_of("", Kind::kEnd)});
  ASSERT_TRUE(chunk);
  commit({*chunk});
  streams->show_end("m1", writer);
  for (std::size_t i = 1; i < Streams::kStreamsMax; ++i)
    ASSERT_TRUE(streams->begin(std::to_string(i)));
  bus.advance_ms(200);
  EXPECT_TRUE(streams->begin("one more"));
  EXPECT_EQ(streams->begin("and another").error().code, Code::kOverloaded);
}

}  // namespace
}  // namespace qiao
