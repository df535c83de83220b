// SPDX-License-Identifier: Apache-2.0
#include "understand/cached_encoder.h"

#include <gtest/gtest.h>

#include "understand/testing/fake_encoder.h"

namespace qiao {
namespace {

using testing::FakeEncoder;

Result<Embeddings> by_length(const std::vector<std::string>& texts) {
  Embeddings vectors;
  for (const std::string& text : texts) vectors.push_back({static_cast<float>(text.size())});
  return vectors;
}

TEST(CachedEncoder, AsksOnceForTheSameText) {
  const auto encoder = std::make_shared<FakeEncoder>(by_length);
  const auto cached = cache_embeddings(encoder);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(embed_and_wait(*cached, {"abc"}).value()[0][0], 3);
  EXPECT_EQ(embed_and_wait(*cached, {"abcd"}).value()[0][0], 4);
  EXPECT_EQ(encoder->asked.size(), 2U);
}

TEST(CachedEncoder, ASecondAskerWaitsForTheFirst) {
  const auto encoder = std::make_shared<FakeEncoder>(by_length);
  encoder->hold(true);
  const auto cached = cache_embeddings(encoder);
  int answers = 0;
  const auto count = [&](const Result<Embeddings>& made) { answers += made ? 1 : 0; };
  cached->embed({"abc"}, count);
  cached->embed({"abc"}, count);
  EXPECT_EQ(encoder->asked.size(), 1U);
  encoder->release();
  EXPECT_EQ(answers, 2);
}

TEST(CachedEncoder, FailuresAreNotRemembered) {
  int calls = 0;
  const auto encoder = std::make_shared<FakeEncoder>(
      [&](const std::vector<std::string>& texts) -> Result<Embeddings> {
        if (++calls == 1) return overloaded("later");
        return by_length(texts);
      });
  const auto cached = cache_embeddings(encoder);
  EXPECT_FALSE(embed_and_wait(*cached, {"abc"}));
  EXPECT_TRUE(embed_and_wait(*cached, {"abc"}));
}

TEST(CachedEncoder, ForgetsTheOldest) {
  const auto encoder = std::make_shared<FakeEncoder>(by_length);
  const auto cached = cache_embeddings(encoder);
  for (std::size_t i = 0; i <= kCachedTextsMax; ++i) {
    ASSERT_TRUE(embed_and_wait(*cached, {std::to_string(i)}));
  }
  encoder->asked.clear();
  ASSERT_TRUE(embed_and_wait(*cached, {std::to_string(kCachedTextsMax)}));
  EXPECT_TRUE(encoder->asked.empty());
  ASSERT_TRUE(embed_and_wait(*cached, {"0"}));
  EXPECT_EQ(encoder->asked.size(), 1U);
}

TEST(CachedEncoder, ListsAndLongTextsGoThrough) {
  const auto encoder = std::make_shared<FakeEncoder>(by_length);
  const auto cached = cache_embeddings(encoder);
  const std::string long_text(kCachedTextBytesMax + 1, 'a');
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(embed_and_wait(*cached, {"a", "bc"}).value().size(), 2U);
    ASSERT_TRUE(embed_and_wait(*cached, {long_text}));
  }
  EXPECT_EQ(encoder->asked.size(), 4U);
}

TEST(CachedEncoder, NoEncoderStaysNone) {
  EXPECT_EQ(cache_embeddings(std::shared_ptr<Model>()), nullptr);
  EXPECT_EQ(cache_embeddings(Encoders{}).chinese, nullptr);
}

}  // namespace
}  // namespace qiao
