// SPDX-License-Identifier: Apache-2.0
#include "understand/confusions.h"

#include <gtest/gtest.h>

#include "model/scripted_model.h"
#include "understand/testing/fake_encoder.h"

namespace qiao {
namespace {

using Labels = std::map<std::string, std::vector<std::string>>;

std::vector<Confusion> find(const Labels& labels, Encoders encoders = {}) {
  auto found = find_confusions(labels, std::move(encoders));
  EXPECT_TRUE(found) << found.error().message;
  return found ? *found : std::vector<Confusion>();
}

TEST(Confusions, CleanLabelsHaveNone) {
  EXPECT_TRUE(find({{"refund", {"我要退款", "我要退款吧", "请退款给我"}},
                    {"invoice", {"怎么开发票", "发票怎么开", "在哪里开发票"}}})
                  .empty());
}

TEST(Confusions, AnExampleInTheWrongLabelIsFound) {
  const auto found = find({{"refund", {"我要退款", "请退款给我", "发票怎么开"}},
                           {"invoice", {"怎么开发票", "开发票", "在哪里开发票"}}});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].label, "refund");
  EXPECT_EQ(found[0].example, "发票怎么开");
  EXPECT_EQ(found[0].other, "invoice");
  EXPECT_EQ(found[0].neighbour, "怎么开发票");
  EXPECT_GT(found[0].against, found[0].own);
}

TEST(Confusions, TheSameTextTwiceIsTheGravest) {
  const auto found = find({{"refund", {"I want a refund", "refund please", "where is my order"}},
                           {"order", {"where is my order", "track my order", "order status"}}});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].example, "where is my order");
  EXPECT_EQ(found[0].against, 1);
}

TEST(Confusions, LabelsOfOneExampleAreSkipped) {
  EXPECT_TRUE(find({{"a", {"我要退款"}}, {"b", {"我要退款吧"}}}).empty());
}

TEST(Confusions, AtMostAsManyAsItsBound) {
  Labels labels;
  for (int i = 0; i < 40; ++i) {
    const std::string text = "word" + std::to_string(i);
    labels["a"].push_back(text);
    labels["b"].push_back(text);
  }
  EXPECT_EQ(find(labels).size(), kConfusionsMax);
}

TEST(Confusions, WorksWithVectors) {
  const auto model = std::make_shared<ScriptedModel>(std::vector<ScriptLine>{});
  const auto found = find({{"refund", {"我要退款", "请退款给我", "发票怎么开"}},
                           {"invoice", {"怎么开发票", "开发票", "在哪里开发票"}}},
                          {model, model});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].example, "发票怎么开");
}

TEST(Confusions, AnEncoderThatFailsIsAnError) {
  const auto broken = std::make_shared<testing::FakeEncoder>(
      [](const std::vector<std::string>&) -> Result<Embeddings> { return unavailable("gone"); });
  const auto found = find_confusions({{"a", {"我要退款", "退款"}}}, {broken, nullptr});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace qiao
