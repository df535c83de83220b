// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_sequences.h"

#include <gtest/gtest.h>

namespace qiao::model {
namespace {

std::vector<Token> tokens(std::string_view text) {
  return {text.begin(), text.end()};
}

// The book alone, without a context.
class Sequences : public ::testing::Test {
 protected:
  LlamaSequences::Match match(std::string_view text) {
    return book_.longest_match(tokens(text), text.size());
  }
  // A running sequence that holds `text`.
  llama_seq_id write(std::string_view text) {
    const auto found = match(text);
    const auto id = book_.take(found);
    EXPECT_TRUE(id);
    EXPECT_TRUE(book_.make_room(text.size() - found.tokens));
    const auto all = tokens(text);
    book_.append(*id, std::span(all).subspan(found.tokens));
    return *id;
  }
  LlamaSequences book_{nullptr, 4, 20, true};
};

TEST_F(Sequences, ASharedBeginningTakesItsCellsOnce) {
  const auto first = write("hello world");
  EXPECT_EQ(book_.used(), 11U);
  const auto second = write("hello you");
  EXPECT_NE(first, second);
  EXPECT_EQ(book_.used(), 14U);
  EXPECT_EQ(book_.tokens(second), tokens("hello you"));
  book_.forget(first);
  EXPECT_EQ(book_.used(), 9U);  // the beginning still belongs to the second
  book_.forget(second);
  EXPECT_EQ(book_.used(), 0U);
}

TEST_F(Sequences, AConversationGoesOnInItsOwnSequence) {
  const auto id = write("turn one");
  book_.keep(id);
  const auto again = book_.take(match("turn one"));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, id);
  EXPECT_EQ(book_.used(), 8U);
}

TEST_F(Sequences, AnotherEndLeavesTheKeptOneAsItWas) {
  const auto id = write("turn one");
  book_.keep(id);
  const auto other = write("turn two");
  EXPECT_NE(other, id);
  EXPECT_EQ(match("turn one").tokens, 8U);
  EXPECT_EQ(book_.used(), 11U);
}

TEST_F(Sequences, RoomIsMadeByForgettingTheLongestUnused) {
  book_.keep(write("aaaaaa"));
  book_.keep(write("bbbbbb"));
  EXPECT_EQ(match("aaaaaa").tokens, 6U);
  ASSERT_TRUE(book_.make_room(10));
  EXPECT_EQ(match("aaaaaa").tokens, 0U);
  EXPECT_EQ(match("bbbbbb").tokens, 6U);
  write("cccccccccc");
  EXPECT_FALSE(book_.make_room(11));  // what runs is never forgotten
}

TEST_F(Sequences, PinnedBeginningsGoLast) {
  const auto id = write("system: hi");
  book_.pin_beginning(id, 7);
  book_.pin_beginning(id, 7);  // once
  book_.keep(id);
  book_.keep(write("other"));
  ASSERT_TRUE(book_.make_room(13));
  EXPECT_EQ(match("system: x").tokens, 7U);
  EXPECT_EQ(match("other").tokens, 0U);
}

TEST_F(Sequences, NothingIsTakenWhenAllRun) {
  for (const char* text : {"a", "b", "c", "d"}) write(text);
  EXPECT_FALSE(book_.take({}));
}

TEST_F(Sequences, CountsWhatCannotBeForgotten) {
  const auto running = write("run");
  book_.keep(write("kept"));
  EXPECT_EQ(book_.cells_in_use({}), 3U);
  EXPECT_EQ(book_.cells_in_use(match("kept on")), 7U);
  book_.forget(running);
  EXPECT_EQ(book_.cells_in_use({}), 0U);
}

TEST(SequencesOfRecurrentModels, AreNeverShared) {
  LlamaSequences book(nullptr, 2, 10, false);
  const auto id = book.take({});
  ASSERT_TRUE(id);
  book.append(*id, tokens("abc"));
  book.keep(*id);
  EXPECT_EQ(book.longest_match(tokens("abcd"), 4).tokens, 0U);
  EXPECT_EQ(book.used(), 0U);
}

}  // namespace
}  // namespace qiao::model
