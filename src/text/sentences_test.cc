// SPDX-License-Identifier: Apache-2.0
#include "text/sentences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace qiao {
namespace {

using testing::ElementsAre;

TEST(Sentences, Chinese) {
  EXPECT_THAT(sentences_of("我要退款！怎么办？“快点。”谢谢"),
              ElementsAre("我要退款！", "怎么办？", "“快点。”", "谢谢"));
  EXPECT_THAT(sentences_of("真的吗？！……好"), ElementsAre("真的吗？！……", "好"));
}

TEST(Sentences, EnglishStopsThatEndNothing) {
  EXPECT_THAT(
      sentences_of("Dr. Li paid 3.50 at qiao.cc. He left (late.) Order no. 5 is J. Smith's. "
                   "No. I will not!"),
      ElementsAre("Dr. Li paid 3.50 at qiao.cc.", "He left (late.)", "Order no. 5 is J. Smith's.",
                  "No.", "I will not!"));
}

TEST(Sentences, LinesAndBlanks) {
  EXPECT_THAT(sentences_of("  one\n\n two \n"), ElementsAre("one", "two"));
  EXPECT_TRUE(sentences_of(" \n ").empty());
  EXPECT_TRUE(sentences_of("").empty());
}

TEST(Sentences, LoseNothingAtTheBound) {
  EXPECT_THAT(sentences_of("a! b! c! d!", 2), ElementsAre("a!", "b! c! d!"));
}

TEST(CountWords, InBothLanguages) {
  EXPECT_EQ(count_words("我要退款，thanks a lot! QX2024"), 9u);
  EXPECT_EQ(count_words(""), 0u);
}

TEST(Repetition, OrdinaryTextHasLittle) {
  EXPECT_LT(
      repetition("您好，七天内可以无理由退货，请在我的订单里点申请退货，验货后三个工作日内退款。"),
      0.05);
  EXPECT_LT(
      repetition("You may return an item within seven days of delivery, or within thirty days "
                 "if it is faulty."),
      0.05);
}

TEST(Repetition, LoopsHaveMuch) {
  std::string loop = "您好。";
  for (int i = 0; i < 10; ++i) loop += "请稍等一下，";
  EXPECT_GT(repetition(loop), 0.7);
  EXPECT_GT(repetition("哈哈哈哈哈哈哈哈哈哈"), 0.8);
  EXPECT_EQ(repetition("谢谢谢谢"), 0);
  std::string tail;
  for (int i = 0; i < 5000; ++i) tail += "w" + std::to_string(i) + " ";
  for (int i = 0; i < 5000; ++i) tail += "again and ";
  EXPECT_GT(repetition(tail), 0.9);  // the loop is at the end
}

}  // namespace
}  // namespace qiao
