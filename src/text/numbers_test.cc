// SPDX-License-Identifier: Apache-2.0
#include "text/numbers.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

using Numbers = std::set<std::string>;

TEST(Numbers, InDigitsHoweverTheyAreWritten) {
  EXPECT_EQ(numbers_in_digits("满９９元，运费 8.50 元"), (Numbers{"99", "8.5"}));
  EXPECT_EQ(numbers_in_digits("1,299.50 yuan, 16:00, 10%"),
            (Numbers{"1299.5", "1", "299.5", "16", "0", "10"}));
  EXPECT_EQ(numbers_in_digits("order QX20260101"), Numbers{"20260101"});
  EXPECT_EQ(numbers_in_digits("no number"), Numbers{});
}

TEST(Numbers, WhatCountsLinesIsNone) {
  EXPECT_EQ(numbers_in_digits("1. pack it\n2. send it within 7 days\n 3) wait"), Numbers{"7"});
  EXPECT_EQ(numbers_in_digits("1、打包\n2、3 天内寄出"), Numbers{"3"});
  EXPECT_EQ(numbers_in_digits("It costs 5. No more"), Numbers{"5"});
  EXPECT_EQ(numbers_in_digits("2.5 yuan"), Numbers{"2.5"});
}

TEST(Numbers, InWords) {
  EXPECT_EQ(numbers_in_words("签收后七天内，三百二十元"), (Numbers{"7", "320"}));
  EXPECT_EQ(numbers_in_words("Within seven days, or Thirty"), (Numbers{"7", "30"}));
  EXPECT_EQ(numbers_in_words("a sixth of someone's"), Numbers{});
}

TEST(Numbers, TheFirstThatIsNotKnown) {
  EXPECT_EQ(number_not_in("7 days, then 60 days or 90", {"7"}), "60");
  EXPECT_EQ(number_not_in("within 7 days", {"7"}), "");
  EXPECT_EQ(number_not_in("满99，100 元起", {"99", "100"}), "");  // a comma between two
  EXPECT_EQ(number_not_in("1,000 points", {"1000"}), "");
  EXPECT_EQ(number_not_in("1,000 points", {"1"}), "1000");
}

}  // namespace
}  // namespace qiao
