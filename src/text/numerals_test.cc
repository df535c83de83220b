// SPDX-License-Identifier: Apache-2.0
#include "text/numerals.h"

#include <gtest/gtest.h>

#include <string>

namespace qiao::text {
namespace {

TEST(ParseNumber, Chinese) {
  const std::pair<const char*, double> cases[] = {{"三", 3},
                                                  {"十", 10},
                                                  {"十五", 15},
                                                  {"二十", 20},
                                                  {"三百二十", 320},
                                                  {"三百五", 350},
                                                  {"三百零五", 305},
                                                  {"一千零五", 1005},
                                                  {"两万", 20000},
                                                  {"两万三", 23000},
                                                  {"一亿二千万", 1.2e8},
                                                  {"二〇二六", 2026},
                                                  {"一百二十三万四千五百六十七", 1234567},
                                                  {"零", 0},
                                                  {"两千", 2000},
                                                  {"十万", 100000}};
  for (const auto& [text, value] : cases) EXPECT_EQ(parse_number(text), value) << text;
}

TEST(ParseNumber, Digits) {
  EXPECT_EQ(parse_number("1,299.50"), 1299.5);
  EXPECT_EQ(parse_number("3.5万"), 35000);
  EXPECT_EQ(parse_number("20k"), 20000);
}

TEST(ParseNumber, RefusesTheRest) {
  for (const char* text : {"", "退", "五x", "1x", "亿亿亿亿亿", "9999999999999999999"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  EXPECT_EQ(parse_number(std::string(1000, '9')), std::nullopt);
}

TEST(Money, HasTwoDecimals) {
  EXPECT_EQ(money(99), "99.00");
  EXPECT_EQ(money(0.1 + 0.2), "0.30");
}

}  // namespace
}  // namespace qiao::text
