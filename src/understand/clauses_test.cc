// SPDX-License-Identifier: Apache-2.0
#include "understand/clauses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qiao {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Clauses, CutsAtMarksOfBothScripts) {
  EXPECT_THAT(clauses_of("你们太差劲了，气死我了！再也不买了。"),
              ElementsAre("你们太差劲了", "气死我了", "再也不买了"));
  EXPECT_THAT(clauses_of("thanks, bye"), ElementsAre("thanks", " bye"));
}

TEST(Clauses, KeepsNumbersWhole) {
  EXPECT_THAT(clauses_of("it cost 1,299.50 yuan"), ElementsAre("it cost 1,299.50 yuan"));
}

TEST(Clauses, DropsWhatHasNoWord) {
  EXPECT_THAT(clauses_of("……！？"), IsEmpty());
  EXPECT_THAT(clauses_of("好，，，"), ElementsAre("好"));
  EXPECT_THAT(clauses_of(""), IsEmpty());
}

TEST(Clauses, TheLastOneHoldsTheRest) {
  EXPECT_THAT(clauses_of("一，二，三，四", 2), ElementsAre("一", "二，三，四"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "好，";
  EXPECT_EQ(clauses_of(many).size(), kClausesMax);
}

}  // namespace
}  // namespace qiao
