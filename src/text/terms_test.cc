// SPDX-License-Identifier: Apache-2.0
#include "text/terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qiao {
namespace {

using testing::ElementsAre;

TEST(Terms, WordsLowerCasedWithoutPlural) {
  EXPECT_THAT(terms_of("Where ARE my Orders?"), ElementsAre("where", "are", "my", "order"));
  EXPECT_THAT(terms_of("this address status is"), ElementsAre("this", "address", "status", "is"));
}

TEST(Terms, CharactersAndPairsOfNeighbours) {
  EXPECT_THAT(terms_of("要退款"), ElementsAre("要", "要退", "退", "退款", "款"));
  EXPECT_THAT(terms_of("退，款"), ElementsAre("退", "款"));
}

TEST(Terms, MixedTexts) {
  EXPECT_THAT(terms_of("查ＱＸ２０２４单"), ElementsAre("查", "qx", "2024", "单"));
}

TEST(Terms, AreBounded) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "退款";
  EXPECT_EQ(terms_of(text).size(), kTermsMax);
  EXPECT_EQ(terms_of(text, 3).size(), 3u);
  EXPECT_LE(terms_of(std::string(1 << 20, 'x')).at(0).size(), 64u);
  EXPECT_TRUE(terms_of("").empty());
}

}  // namespace
}  // namespace qiao
