// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_index.h"

#include <gtest/gtest.h>

#include "broker/stream_event.h"

namespace qiao {
namespace {

std::string texts(std::size_t count, bool ends = false) {
  std::vector<StreamEvent> events(count);
  if (ends) events.back().kind = StreamEvent::Kind::kEnd;
  return encode_events(events);
}

record::Chunk chunk(std::string stream, std::uint32_t attempt, std::uint64_t first,
                    std::string events, std::int64_t time_ms = 0) {
  return {time_ms, std::move(stream), first, attempt, std::move(events)};
}

TEST(StreamEvents, GoThroughBytesAndBack) {
  std::vector<StreamEvent> events(2);
  events[0].text = "好";
  events[1].kind = StreamEvent::Kind::kEnd;
  events[1].data = Json{{"finish", "reply"}};
  const std::string bytes = encode_events(events);
  const auto back = decode_events(bytes);
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), 2U);
  EXPECT_EQ(back->at(0).text, "好");
  EXPECT_EQ(back->at(1).data, events[1].data);
  EXPECT_TRUE(facts_of_events(bytes).ends);
  EXPECT_EQ(facts_of_events(bytes).events, 2U);
}

TEST(StreamEvents, DamageIsRefused) {
  const std::string bytes = texts(3, true);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_events(std::string_view(bytes).substr(0, size))) << size;
  EXPECT_EQ(decode_events(bytes + "x").error().code, Code::kCorrupt);
}

TEST(StreamPlace, IsAttemptDotOffset) {
  EXPECT_EQ(to_text({2, 14}), "2.14");
  EXPECT_EQ(parse_place("2.14").value(), (StreamPlace{2, 14}));
  for (const char* wrong : {"", "2", "2.", ".1", "a.b", "1.2.3", "-1.2", "1.99999999999999999999"})
    EXPECT_EQ(parse_place(wrong).error().code, Code::kInvalidArgument) << wrong;
}

TEST(StreamIndex, ChunksGoOnWhereTheLastOneEnded) {
  StreamIndex index;
  index.apply(10, chunk("m", 1, 0, texts(1)));
  index.apply(11, chunk("m", 1, 1, texts(3)));
  index.apply(12, chunk("m", 1, 7, texts(2)));  // a hole
  index.apply(13, chunk("m", 1, 4, texts(2, true)));
  index.apply(14, chunk("m", 1, 6, texts(1)));  // after the end
  const auto* entry = index.find("m");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->chunks, (std::vector<std::uint64_t>{10, 11, 13}));
  EXPECT_EQ(entry->events, 6U);
  EXPECT_TRUE(entry->ended);
  EXPECT_EQ(index.first_offset(), 10U);
}

TEST(StreamIndex, ANewAttemptTakesThePlaceOfTheOld) {
  StreamIndex index;
  index.apply(1, chunk("m", 1, 0, texts(2)));
  index.apply(2, chunk("m", 2, 1, texts(1)));  // not its beginning
  index.apply(3, chunk("m", 2, 0, texts(1)));
  index.apply(4, chunk("m", 1, 2, texts(1)));  // of the old one
  const auto* entry = index.find("m");
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->attempt, 2U);
  EXPECT_EQ(entry->chunks, (std::vector<std::uint64_t>{3}));
}

TEST(StreamIndex, TheLongestUntouchedGoFirst) {
  StreamIndex index;
  index.apply(1, chunk("old", 1, 0, texts(1), 1'000));
  index.apply(2, chunk("touched", 1, 0, texts(1), 1'000));
  index.apply(3, chunk("touched", 1, 1, texts(1), 5'000));
  index.apply(4, chunk("new", 1, 0, texts(1), 1'001 + StreamIndex::kKeptMs));
  EXPECT_EQ(index.find("old"), nullptr);
  EXPECT_NE(index.find("touched"), nullptr);
  for (std::size_t i = 0; i < StreamIndex::kStreamsMax; ++i)
    index.apply(10 + i,
                chunk("n" + std::to_string(i), 1, 0, texts(1), 6'000 + StreamIndex::kKeptMs));
  EXPECT_EQ(index.size(), StreamIndex::kStreamsMax);
  EXPECT_EQ(index.find("new"), nullptr);
}

TEST(StreamIndex, ASnapshotKeepsItAndItsOrder) {
  StreamIndex index;
  index.apply(1, chunk("b", 2, 0, texts(2), 50));
  index.apply(2, chunk("a", 1, 0, texts(1), 60));
  index.apply(3, chunk("a", 1, 1, texts(1, true), 70));
  std::string bytes;
  index.write(bytes);
  StreamIndex back;
  WireReader in(bytes);
  ASSERT_TRUE(back.read(in));
  EXPECT_TRUE(in.at_end());
  std::string again;
  back.write(again);
  EXPECT_EQ(again, bytes);
  EXPECT_TRUE(back.find("a")->ended);
  EXPECT_EQ(back.find("b")->attempt, 2U);
}

}  // namespace
}  // namespace qiao
