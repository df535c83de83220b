// SPDX-License-Identifier: Apache-2.0
#include "model/llama/encoder_queue.h"

#include <gtest/gtest.h>

#include <optional>

namespace qiao::model {
namespace {

// A token for each byte; "!" cannot be read.
Result<std::vector<Token>> bytes_of(const std::string& text) {
  if (text == "!") return invalid_argument("unreadable");
  return std::vector<Token>(text.begin(), text.end());
}

struct Answer {
  std::optional<Result<Embeddings>> value;
  Model::OnEmbedded taker() {
    return [this](Result<Embeddings> vectors) { value = std::move(vectors); };
  }
};

// Vectors that tell their text: its first byte.
Embeddings first_bytes(const std::vector<std::vector<Token>>& tile) {
  Embeddings vectors;
  for (const auto& tokens : tile) vectors.push_back({static_cast<float>(tokens.front())});
  return vectors;
}

void run_all(EncoderQueue& queue) {
  while (!queue.empty()) queue.finish_tile(first_bytes(queue.next_tile()));
}

TEST(EncoderQueue, FillsTilesUpToTheirBounds) {
  EncoderQueue queue({.tokens = 10, .sequences = 3}, bytes_of);
  Answer answer;
  queue.add({"aaaa", "bbbb", "cccc", "d", "e", "f", "ggggggggggggggg"}, answer.taker());
  EXPECT_EQ(queue.next_tile().size(), 2U);  // the third would make twelve tokens
  queue.finish_tile(Embeddings{{1}, {2}});
  EXPECT_EQ(queue.next_tile().size(), 3U);
  queue.finish_tile(Embeddings{{3}, {4}, {5}});
  EXPECT_EQ(queue.next_tile().size(), 1U);
  queue.finish_tile(Embeddings{{6}});
  EXPECT_EQ(queue.next_tile().front().size(), 15U);  // longer than a tile: alone
  queue.finish_tile(Embeddings{{7}});
  ASSERT_TRUE(answer.value && *answer.value);
  EXPECT_EQ(**answer.value, (Embeddings{{1}, {2}, {3}, {4}, {5}, {6}, {7}}));
}

TEST(EncoderQueue, AShortRequestGoesBeforeALongOne) {
  EncoderQueue queue({.tokens = 4, .sequences = 4}, bytes_of);
  Answer many;
  Answer one;
  queue.add({"aaaa", "bbbb", "cccc"}, many.taker());
  queue.finish_tile(first_bytes(queue.next_tile()));
  queue.add({"z"}, one.taker());
  queue.finish_tile(first_bytes(queue.next_tile()));
  ASSERT_TRUE(one.value && *one.value);
  EXPECT_FALSE(many.value);
  run_all(queue);
  ASSERT_TRUE(many.value && *many.value);
  EXPECT_EQ(**many.value, (Embeddings{{'a'}, {'b'}, {'c'}}));
}

TEST(EncoderQueue, ATextThatCannotBeReadEndsItsRequestAlone) {
  EncoderQueue queue({.tokens = 100, .sequences = 10}, bytes_of);
  Answer bad;
  Answer empty;
  Answer good;
  queue.add({"a", "!"}, bad.taker());
  queue.add({""}, empty.taker());
  queue.add({"b", "c", "d"}, good.taker());
  run_all(queue);
  ASSERT_TRUE(bad.value && empty.value && good.value);
  EXPECT_EQ(bad.value->error().code, Code::kInvalidArgument);
  EXPECT_EQ(empty.value->error().code, Code::kInvalidArgument);
  ASSERT_TRUE(*good.value);
  EXPECT_EQ(**good.value, (Embeddings{{'b'}, {'c'}, {'d'}}));
}

TEST(EncoderQueue, AFailedTileEndsAllThatHadATextInIt) {
  EncoderQueue queue({.tokens = 3, .sequences = 10}, bytes_of);
  Answer both;
  Answer later;
  queue.add({"a", "b"}, both.taker());
  queue.add({"c", "d", "e", "f"}, later.taker());
  ASSERT_EQ(queue.next_tile().size(), 3U);
  queue.finish_tile(Error{Code::kModelFailed, "no"});
  ASSERT_TRUE(both.value && later.value);
  EXPECT_EQ(both.value->error().code, Code::kModelFailed);
  EXPECT_EQ(later.value->error().code, Code::kModelFailed);
  EXPECT_TRUE(queue.empty());
}

TEST(EncoderQueue, EndsEverythingAtOnceWhenClosed) {
  EncoderQueue queue({.tokens = 3, .sequences = 10}, bytes_of);
  Answer first;
  Answer none;
  queue.add({"a", "b"}, first.taker());
  queue.add({}, none.taker());
  ASSERT_TRUE(none.value && *none.value);
  EXPECT_TRUE((*none.value)->empty());
  queue.drop_all(Error{Code::kCancelled, "closed"});
  ASSERT_TRUE(first.value);
  EXPECT_EQ(first.value->error().code, Code::kCancelled);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace qiao::model
