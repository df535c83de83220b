// SPDX-License-Identifier: Apache-2.0
#include "text/normalise.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

TEST(Normalise, FoldsWidthCaseAndBlanks) {
  EXPECT_EQ(normalise("  ＡＢＣ　Straße\t\n ①  "), "abc strasse 1");
  EXPECT_EQ(normalise("我要　退款！"), "我要 退款!");
  EXPECT_EQ(normalise(""), "");
  EXPECT_EQ(normalise(" \n "), "");
}

TEST(Normalise, LeavesTraditionalCharactersAlone) {
  EXPECT_EQ(normalise("訂單"), "訂單");
}

TEST(Normalise, BadBytesBecomeReplacementCharacters) {
  EXPECT_EQ(normalise("退\xFF\xE6款"), "退\uFFFD\uFFFD款");
}

// Goal: a text longer than one piece given to ICU is folded as a whole one is.
TEST(Normalise, LongTextsAreFoldedInPieces) {
  std::string text;
  while (text.size() < (2 << 20) + 5) text += "桥Ａ";
  std::string expected;
  while (expected.size() / 4 < text.size() / 6) expected += "桥a";
  EXPECT_EQ(normalise(text), expected);
}

TEST(MatchKey, IsEqualForTheSameWords) {
  EXPECT_EQ(match_key("我要退款！！"), match_key(" 我要 退款。"));
  EXPECT_EQ(match_key("Where's my ORDER?"), match_key("where’s my order"));
  EXPECT_NE(match_key("我要退款"), match_key("我不要退款"));
  EXPECT_EQ(match_key("！？😀"), "");
}

TEST(HalfWidth, TellsWhereEachByteCameFrom) {
  const std::string text = "号：１２　ok";
  const HalfWidth half = half_width(text);
  EXPECT_EQ(half.text, "号:12 ok");
  ASSERT_EQ(half.origin.size(), half.text.size() + 1);
  EXPECT_EQ(half.origin[half.text.find('1')], text.find("１"));
  EXPECT_EQ(half.origin[half.text.find("ok")], text.find("ok"));
  EXPECT_EQ(half.origin.back(), text.size());
}

}  // namespace
}  // namespace qiao
