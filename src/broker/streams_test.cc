// SPDX-License-Identifier: Apache-2.0
#include "broker/streams.h"

#include <gtest/gtest.h>

#include "base/testing/manual_clock.h"

namespace qiao {
namespace {

class StreamsTest : public ::testing::Test {
 protected:
  Status write(const std::string& text, StreamEvent::Kind kind = StreamEvent::Kind::kText,
               const std::string& stream = "m1") {
    StreamEvent event;
    event.kind = kind;
    event.text = text;
    return streams.write(stream, std::move(event));
  }
  Streams::Sink into(std::string& text) {
    return [&text](const StreamEvent& event) {
      text += std::to_string(event.offset) + ":" + event.text + " ";
    };
  }

  testing::ManualClock clock;
  Streams streams{clock};
};

TEST_F(StreamsTest, ReadersAttachAtAnyOffsetAndFollow) {
  std::string early;
  std::string late;
  ASSERT_TRUE(streams.attach("m1", 0, into(early)));  // before the first word
  ASSERT_TRUE(write("a"));
  ASSERT_TRUE(write("b"));
  ASSERT_TRUE(streams.attach("m1", 1, into(late)));
  ASSERT_TRUE(write("", StreamEvent::Kind::kReset));
  ASSERT_TRUE(write("c"));
  EXPECT_EQ(early, "0:a 1:b 2: 3:c ");
  EXPECT_EQ(late, "1:b 2: 3:c ");
}

TEST_F(StreamsTest, ADetachedReaderHearsNothingMore) {
  std::string text;
  const auto reader = streams.attach("m1", 0, into(text));
  ASSERT_TRUE(reader);
  ASSERT_TRUE(write("a"));
  streams.detach("m1", *reader);
  streams.detach("m1", *reader);
  streams.detach("unknown", *reader);
  ASSERT_TRUE(write("b"));
  EXPECT_EQ(text, "0:a ");
}

TEST_F(StreamsTest, NothingFollowsTheEnd) {
  ASSERT_TRUE(write("a"));
  ASSERT_TRUE(write("", StreamEvent::Kind::kEnd));
  EXPECT_EQ(write("b").error().code, Code::kPrecondition);
  std::string text;
  ASSERT_TRUE(streams.attach("m1", 0, into(text)));  // the whole answer is kept for a while
  EXPECT_EQ(text, "0:a 1: ");
}

TEST_F(StreamsTest, AnAnswerHasABoundButCanAlwaysEnd) {
  const std::string big(Streams::kStreamBytesMax, 'x');
  ASSERT_TRUE(write(big));
  EXPECT_EQ(write("y").error().code, Code::kOverloaded);
  EXPECT_TRUE(write("stopped", StreamEvent::Kind::kEnd));
}

TEST_F(StreamsTest, OldStreamsWithoutReadersGo) {
  std::string kept;
  ASSERT_TRUE(streams.attach("read", 0, into(kept)));
  ASSERT_TRUE(write("a", StreamEvent::Kind::kText, "old"));
  ASSERT_TRUE(write("a", StreamEvent::Kind::kText, "read"));
  clock.advance_ms(Streams::kKeptMs + 1);
  ASSERT_TRUE(write("a", StreamEvent::Kind::kText, "new"));
  std::string old;
  ASSERT_TRUE(streams.attach("old", 0, into(old)));
  EXPECT_EQ(old, "");
  ASSERT_TRUE(write("b", StreamEvent::Kind::kText, "read"));
  EXPECT_EQ(kept, "0:a 1:b ");
}

TEST_F(StreamsTest, PastTheBoundNewStreamsAreRefusedUntilOldOnesGo) {
  for (std::size_t i = 0; i < Streams::kStreamsMax; ++i)
    ASSERT_TRUE(write("a", StreamEvent::Kind::kText, std::to_string(i)));
  EXPECT_EQ(write("a", StreamEvent::Kind::kText, "more").error().code, Code::kOverloaded);
  EXPECT_TRUE(write("b", StreamEvent::Kind::kText, "7"));
  clock.advance_ms(Streams::kKeptMs + 1);
  EXPECT_TRUE(write("a", StreamEvent::Kind::kText, "more"));
}

}  // namespace
}  // namespace qiao
