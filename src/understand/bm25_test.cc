// SPDX-License-Identifier: Apache-2.0
#include "understand/bm25.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

std::vector<double> likeness(const std::vector<std::string>& texts, std::string_view query) {
  const Bm25 bm25(texts);
  return bm25.likeness(bm25.weigh(query));
}

TEST(Bm25, SameTermsAreWholeAndOtherTermsNothing) {
  const auto found = likeness({"我要退款", "where is my order"}, "我要退款");
  EXPECT_DOUBLE_EQ(found[0], 1);
  EXPECT_DOUBLE_EQ(found[1], 0);
}

TEST(Bm25, StaysBetweenNothingAndWhole) {
  const std::vector<std::string> texts = {"退款", "退款退款退款", "退款多久到账", "refund refund"};
  for (const char* query : {"退款", "退款退款", "退款 refund", "refund", "退款多久到账呢", ""}) {
    for (const double value : likeness(texts, query)) {
      EXPECT_GE(value, 0) << query;
      EXPECT_LE(value, 1) << query;
    }
  }
}

TEST(Bm25, RareTermsCountMore) {
  const auto found = likeness({"订单 发票", "订单 运费", "订单 地址"}, "订单 运费");
  EXPECT_GT(found[1], 2 * found[0]);
  EXPECT_DOUBLE_EQ(found[0], found[2]);
}

TEST(Bm25, WordsThatHoldASentenceTogetherSayLittle) {
  const auto found = likeness({"can I have the invoice", "refund policy"}, "can I have the refund");
  EXPECT_GT(found[1], found[0]);
}

TEST(Bm25, AskingWordsAloneDoNotMakeTextsAlike) {
  const std::vector<std::string> texts = {"how do I pay", "where is my order", "发票怎么开",
                                          "什么时候发货", "talk to a person"};
  for (const char* query : {"how do I cook pasta", "where is the moon", "红烧肉怎么做"}) {
    for (const double value : likeness(texts, query)) EXPECT_LT(value, 0.35) << query;
  }
}

TEST(Bm25, UnknownWordsLowerIt) {
  const std::vector<std::string> texts = {"运费是多少", "发票怎么开"};
  EXPECT_GT(likeness(texts, "运费是多少")[0], likeness(texts, "运费是多少火星旅行团")[0]);
}

TEST(Bm25, RepeatsDoNotAddUp) {
  const std::vector<std::string> texts = {"refund", "refund order"};
  EXPECT_GT(likeness(texts, "refund refund refund order")[1], 0.7);
}

TEST(Bm25, EmptyListsAndTextsAreNothing) {
  EXPECT_TRUE(likeness({}, "退款").empty());
  EXPECT_DOUBLE_EQ(likeness({""}, "")[0], 0);
  EXPECT_DOUBLE_EQ(likeness({"退款"}, "？！")[0], 0);
}

}  // namespace
}  // namespace qiao
