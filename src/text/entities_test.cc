// SPDX-License-Identifier: Apache-2.0
#include "text/entities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/testing/cpu_time.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> values(std::string_view text, const char* kind) {
  std::vector<std::string> out;
  const std::vector<std::string> kinds = {kind};
  for (const Span& span : find_entities(text, kinds)) {
    EXPECT_EQ(text.substr(span.begin, span.end - span.begin), span.text);
    out.push_back(span.value);
  }
  return out;
}

struct Case {
  const char* text;
  const char* value;
};

void expect_one(const char* kind, const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_THAT(values(c.text, kind), ElementsAre(c.value)) << c.text;
}

void expect_none(const char* kind, const std::vector<const char*>& texts) {
  for (const char* text : texts)
    EXPECT_TRUE(values(text, kind).empty())
        << text << " " << ::testing::PrintToString(values(text, kind));
}

TEST(OrderNumber, NamedOrShapedLikeOne) {
  expect_one("order_number", {{"帮我查一下订单QX20260101到哪了", "QX20260101"},
                              {"qx20260101", "QX20260101"},
                              {"ＱＸ２０２６０１０１", "QX20260101"},
                              {"订单号 12345678", "12345678"},
                              {"订单号：12345678。", "12345678"},
                              {"订单编号是 2026-0001-22", "2026-0001-22"},
                              {"my order number is A-1077", "A-1077"},
                              {"order #10774 please", "10774"},
                              {"where is order 20260101?", "20260101"},
                              {"Tracking no. 1Z999AA10123456784", "1Z999AA10123456784"},
                              {"单子 SF1020304050", "SF1020304050"},
                              {"12345678", "12345678"},
                              {" #12345678. ", "12345678"},
                              {"订单号13812345678", "13812345678"}});
}

TEST(OrderNumber, WhatIsNone) {
  expect_none("order_number",
              {"我的iPhone15坏了", "in order 2 weeks", "order 1000 units", "我要订单",
               "windows2000", "13812345678", "2026-01-05", "covid19", "第12345678",
               "11010519491231002X", "4111111111111111", "12345", "I want to order something",
               "mp3", "订单 99元", "ann20240001@example.com"});
}

TEST(OrderNumber, SeveralInOneText) {
  EXPECT_THAT(values("QX20260101和QX20260102", "order_number"),
              ElementsAre("QX20260101", "QX20260102"));
}

TEST(Phone, MobilesAndLandLines) {
  expect_one("phone", {{"打13812345678", "13812345678"},
                       {"010-62345678", "01062345678"},
                       {"座机(0571)87654321。", "057187654321"},
                       {"400-820-8820", "4008208820"},
                       {"+1 212 555 0123", "+12125550123"}});
  expect_none("phone", {"2026-01-05", "QX20260101", "8888"});
}

TEST(Amount, SignsUnitsAndNumerals) {
  expect_one("amount", {{"¥99", "99.00 CNY"},
                        {"￥1,299.50的", "1299.50 CNY"},
                        {"付了35.5元", "35.50 CNY"},
                        {"一共三百二十块钱", "320.00 CNY"},
                        {"十五块五", "15.50 CNY"},
                        {"才3块5", "3.50 CNY"},
                        {"退我200块！", "200.00 CNY"},
                        {"3.5万元", "35000.00 CNY"},
                        {"RMB 88", "88.00 CNY"},
                        {"$12.50 refund", "12.50 USD"},
                        {"20 dollars", "20.00 USD"},
                        {"100美元", "100.00 USD"},
                        {"US$5", "5.00 USD"},
                        {"€9.99", "9.99 EUR"},
                        {"１００元", "100.00 CNY"}});
}

TEST(Amount, OtherWordsWithTheSameCharacters) {
  expect_none("amount", {"2026元旦", "三块蛋糕", "一块去吧", "5块石头", "3单元", "二元素",
                         "第三元件", "QX20260101", "buck up"});
}

TEST(Date, Absolute) {
  expect_one("date", {{"2026-01-05", "2026-01-05"},
                      {"2026/1/5下单", "2026-01-05"},
                      {"2026年1月5日", "2026-01-05"},
                      {"二〇二六年一月五日", "2026-01-05"},
                      {"2026年1月", "2026-01"},
                      {"1月5号买的", "--01-05"},
                      {"三月十五号", "--03-15"},
                      {"我5号下的单", "---05"},
                      {"Jan 5, 2026", "2026-01-05"},
                      {"on January 5th", "--01-05"},
                      {"5 March 2026", "2026-03-05"},
                      {"25/12/2026", "2026-12-25"},
                      {"03/04/2026", "03/04/2026"}});
}

TEST(Date, RelativeIsKeptAsText) {
  expect_one("date", {{"昨天买的", "昨天"},
                      {"大后天能到吗", "大后天"},
                      {"上周五下的单", "上周五"},
                      {"三天前", "三天前"},
                      {"2个月以前", "2个月以前"},
                      {"下个月", "下个月"},
                      {"Yesterday I ordered", "yesterday"},
                      {"next Monday", "next monday"},
                      {"3 days ago", "3 days ago"},
                      {"the day after tomorrow", "the day after tomorrow"}});
}

TEST(Date, WhatIsNone) {
  expect_none("date", {"2026-13-05", "2026-02-30", "13月5日", "3号楼", "5号线", "第5号", "32号",
                       "QX20260101", "订单号12345678", "maybe", "a second ago"});
}

TEST(FindEntities, KindsAreChosenAndOrdered) {
  const std::string text = "昨天付了¥99，订单QX20260101，电话13812345678，ann@example.com";
  std::vector<std::string> kinds;
  for (const Span& span : find_entities(text)) kinds.push_back(span.kind);
  EXPECT_THAT(kinds, ElementsAre("date", "amount", "order_number", "phone", "email"));
  const std::vector<std::string> one = {"email"};
  EXPECT_EQ(find_entities(text, one).size(), 1u);
  const std::vector<std::string> unknown = {"colour"};
  EXPECT_TRUE(find_entities(text, unknown).empty());
  EXPECT_TRUE(find_entities("").empty());
}

// Goal: whatever comes, at most kEntitiesMax finds, in time that grows with the length alone.
TEST(FindEntities, HostileTextsAreBounded) {
  for (const char* piece :
       {"1", "订单", "订单号 ", "¥1 ", "1,111", "一", "1月", "昨天", "a1", "order ", "2026-01-05 ",
        "\xFF", "一百", "上", "in 1 ", "QX20260101 "}) {
    std::string text;
    while (text.size() < (1 << 19)) text += piece;
    const std::string quarter = text.substr(0, text.size() / 4);
    EXPECT_LE(find_entities(text).size(), kEntitiesMax);
    EXPECT_TRUE(
        testing::grows_linearly([&] { find_entities(quarter); }, [&] { find_entities(text); }))
        << piece;
  }
}

}  // namespace
}  // namespace qiao
