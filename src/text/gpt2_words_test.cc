// SPDX-License-Identifier: Apache-2.0
#include "text/gpt2_words.h"

#include <gtest/gtest.h>

#include <string>

namespace qiao {
namespace {

std::string split(std::string_view text) {
  std::string out;
  for (const std::string_view word : gpt2_words(text)) out.append(word).append("|");
  return out;
}

TEST(Gpt2Words, TakeTheBlankBefore) {
  EXPECT_EQ(split("Hello world, it's 2024!"), "Hello| world|,| it|'s| 2024|!|");
  EXPECT_EQ(split("we'll they've DON'T x'"), "we|'ll| they|'ve| DON|'|T| x|'|");
  EXPECT_EQ(split("!'s"), "!'|s|");
}

TEST(Gpt2Words, WhiteSpaceLeavesOneForTheWord) {
  EXPECT_EQ(split("a   b"), "a|  | b|");
  EXPECT_EQ(split("a\n\nb"), "a|\n|\n|b|");
  EXPECT_EQ(split("a  "), "a|  |");
  EXPECT_EQ(split(" "), " |");
  EXPECT_EQ(split("a\t b"), "a|\t| b|");
}

TEST(Gpt2Words, ChineseRunsAreWords) {
  EXPECT_EQ(split("你好，世界 2024年"), "你好|，|世界| 2024|年|");
}

TEST(Gpt2Words, NoByteIsLost) {
  const std::string text = "a\xff\xfe \xe4\xbd b";
  std::string all;
  for (const std::string_view word : gpt2_words(text)) all += word;
  EXPECT_EQ(all, text);
}

}  // namespace
}  // namespace qiao
