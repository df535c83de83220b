// SPDX-License-Identifier: Apache-2.0
#include "history/tokens.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "message/message.h"

namespace qiao::history {
namespace {

TEST(IndexWords, EnglishIsWordsAndChineseIsPairs) {
  EXPECT_EQ(index_words("Where is my order ORD-42?"), "Where is my order ORD 42");
  EXPECT_EQ(index_words("我要退款"), "我要 要退 退款 款");
  EXPECT_EQ(index_words("好"), "好");
  EXPECT_EQ(index_words("iPhone坏了,怎么办"), "iPhone 坏了 了 怎么 么办 办");
  EXPECT_EQ(index_words("ＡＢ１２　ｃ"), "AB12 c");
  EXPECT_EQ(index_words("Größe né"), "Größe né");
  EXPECT_EQ(index_words("。！👍 — ¿"), "");
  EXPECT_EQ(index_words("a\xff\xe8\xae"
                        "b"),
            "a b");
}

TEST(MatchExpression, WordsMustAllStandPhrasesTogether) {
  EXPECT_EQ(match_expression("refund order"), "\"refund\" AND \"order\"");
  EXPECT_EQ(match_expression("\"refund my order\""), "\"refund my order\"");
  EXPECT_EQ(match_expression("ORD-42"), "\"ORD 42\"");
  EXPECT_EQ(match_expression("退款"), "\"退款\"");
  EXPECT_EQ(match_expression("申请退款"), "\"申请 请退 退款\"");
  EXPECT_EQ(match_expression("退"), "\"退\" *");
  EXPECT_EQ(match_expression("退款，订单　坏"), "\"退款\" AND \"订单\" AND \"坏\" *");
  EXPECT_EQ(match_expression("买iPhone"), "\"买 iPhone\"");
}

TEST(MatchExpression, NothingOfAQueryIsSyntax) {
  EXPECT_EQ(match_expression("a OR b*"), "\"a\" AND \"OR\" AND \"b\"");
  EXPECT_EQ(match_expression("text:x ^y -z NEAR(a b, 2)"),
            "\"text x\" AND \"y\" AND \"z\" AND \"NEAR a\" AND \"b\" AND \"2\"");
  EXPECT_EQ(match_expression("\"open"), "\"open\"");
  EXPECT_EQ(match_expression("a\"b\"c"), "\"a\" AND \"b\" AND \"c\"");
  EXPECT_EQ(match_expression("\"\" ' ; -- \\ % () {} 。"), "");
  EXPECT_EQ(match_expression(""), "");
}

// Any bytes give words of letters only, and a bounded number of them.
TEST(MatchExpression, AnyBytesAreBounded) {
  Rng rng(7);
  for (int round = 0; round < 2'000; ++round) {
    std::string query(rng.below(300), ' ');
    for (char& c : query) c = static_cast<char>(rng.below(256));
    const std::string expression = match_expression(query);
    EXPECT_TRUE(valid_utf8(expression));
    EXPECT_EQ(std::count(expression.begin(), expression.end(), '"') % 2, 0);
    EXPECT_LE(static_cast<std::size_t>(std::count(expression.begin(), expression.end(), ' ')),
              3 * kQueryTermsMax);
  }
}

}  // namespace
}  // namespace qiao::history
