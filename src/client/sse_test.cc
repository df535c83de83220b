// SPDX-License-Identifier: Apache-2.0
#include "client/sse.h"

#include <gtest/gtest.h>

#include <vector>

namespace qiao {
namespace {

// All events of `stream`, fed in pieces of `size` bytes.
std::vector<SseEvent> parse(std::string_view stream, std::size_t size) {
  SseParser parser;
  std::vector<SseEvent> events;
  for (std::size_t at = 0; at < stream.size(); at += size) {
    const auto more = parser.feed(stream.substr(at, size), [&](const SseEvent& event) {
      events.push_back(event);
      return true;
    });
    EXPECT_TRUE(more && *more);
  }
  return events;
}

TEST(Sse, IdTypeAndDataInAnyPieces) {
  constexpr std::string_view kStream =
      ": beat\n\nid: 7\nevent: message\ndata: {\"a\":\ndata: 1}\n\nevent: end\r\ndata:x\r\n\r\n";
  for (std::size_t size = 1; size <= kStream.size(); ++size) {
    const auto events = parse(kStream, size);
    ASSERT_EQ(events.size(), 2u) << size;
    EXPECT_EQ(events[0].id, "7");
    EXPECT_EQ(events[0].type, "message");
    EXPECT_EQ(events[0].data, "{\"a\":\n1}");
    EXPECT_EQ(events[1].type, "end");
    EXPECT_EQ(events[1].data, "x");
    EXPECT_EQ(events[1].id, "7") << "an id holds until the next one";
  }
}

TEST(Sse, AnEventWithoutDataIsNone) {
  EXPECT_TRUE(parse("event: x\nid: 1\n\n", 4).empty());
  const auto events = parse("data\n\n", 3);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, "");
  EXPECT_EQ(events[0].type, "message");
}

TEST(Sse, AnUnfinishedEventIsDropped) {
  EXPECT_TRUE(parse("data: half", 5).empty());
}

TEST(Sse, TheReaderEndsIt) {
  SseParser parser;
  int seen = 0;
  const auto more = parser.feed("data: 1\n\ndata: 2\n\n", [&](const SseEvent&) {
    ++seen;
    return false;
  });
  ASSERT_TRUE(more);
  EXPECT_FALSE(*more);
  EXPECT_EQ(seen, 1);
}

TEST(Sse, AnEndlessLineIsRefused) {
  SseParser parser;
  const std::string piece(1 << 20, 'x');
  Result<bool> more = true;
  for (std::size_t i = 0; i <= SseParser::kEventBytesMax / piece.size() && more; ++i) {
    more = parser.feed(piece, [](const SseEvent&) { return true; });
  }
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::kCorrupt);
}

}  // namespace
}  // namespace qiao
