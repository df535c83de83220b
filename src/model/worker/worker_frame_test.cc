// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_frame.h"

#include <gtest/gtest.h>

#include <vector>

namespace qiao::model {
namespace {

TEST(WorkerFrame, ComesApartAsItWasPutTogether) {
  std::string bytes;
  append_frame(bytes, FrameType::kText, 7, "你好");
  append_frame(bytes, FrameType::kPing, 0, "");
  append_frame(bytes, FrameType::kDone, UINT64_MAX, std::string(100'000, 'x'));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{13}, std::size_t{4096}}) {
    FrameReader reader;
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      while (true) {
        auto frame = reader.next();
        ASSERT_TRUE(frame) << frame.error().message;
        if (!*frame) break;
        frames.push_back(std::move(**frame));
      }
    }
    ASSERT_EQ(frames.size(), 3U);
    EXPECT_EQ(frames[0].body, "你好");
    EXPECT_EQ(frames[0].id, 7U);
    EXPECT_EQ(frames[1].type, FrameType::kPing);
    EXPECT_EQ(frames[2].id, UINT64_MAX);
    EXPECT_EQ(frames[2].body.size(), 100'000U);
  }
}

TEST(WorkerFrame, RefusesSizesAndTypesOutOfBounds) {
  FrameReader large;
  large.feed(std::string("\xFF\xFF\xFF\x7F\x02", 5) + std::string(8, '\0'));
  EXPECT_EQ(large.next().error().code, Code::kCorrupt);
  for (const char type : {'\0', '\x7F'}) {
    FrameReader reader;
    reader.feed(std::string(4, '\0') + type + std::string(8, '\0'));
    EXPECT_EQ(reader.next().error().code, Code::kCorrupt);
  }
}

TEST(WorkerFrame, NumbersGoRound) {
  EXPECT_EQ(*number_of_bytes(bytes_of_number(0x0123456789ABCDEFU)), 0x0123456789ABCDEFU);
  EXPECT_FALSE(number_of_bytes("1234567"));
}

}  // namespace
}  // namespace qiao::model
