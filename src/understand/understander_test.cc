// SPDX-License-Identifier: Apache-2.0
#include "understand/understander.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/scripted_model.h"
#include "understand/testing/fake_encoder.h"
#include "understand/testing/shop.h"

namespace qiao {
namespace {

using testing::annotate_and_wait;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

UnderstandSpec small_spec() {
  UnderstandSpec spec;
  spec.intents["greeting"] = {"你好", "hello"};
  spec.intents["goodbye"] = {"没有别的问题了", "再见", "goodbye"};
  spec.likes["refund"] = {"我要退款", "把钱退给我", "I want my money back"};
  spec.likes["order"] = {"我的订单到哪了", "查一下物流", "where is my order"};
  spec.likes["anger"] = {"气死我了", "你们太差劲了", "I am very angry", "this is terrible service"};
  spec.sentiment = true;
  return spec;
}

std::shared_ptr<const Understander> make(UnderstandSpec spec, Encoders encoders = {}) {
  auto made = Understander::make(std::move(spec), std::move(encoders));
  EXPECT_TRUE(made) << made.error().message;
  return made ? *made : nullptr;
}

Encoders scripted() {
  const auto model = std::make_shared<ScriptedModel>(std::vector<ScriptLine>{});
  return {model, model};
}

double score_of(const std::vector<Scored>& scores, std::string_view label) {
  for (const Scored& scored : scores) {
    if (scored.label == label) return scored.score;
  }
  return -1;
}

// Everything that holds with an encoder and without one.
class UnderstanderBothWays : public ::testing::TestWithParam<bool> {
 protected:
  std::shared_ptr<const Understander> understander_ =
      make(small_spec(), GetParam() ? scripted() : Encoders{});
  Annotations annotate(const std::string& text) { return annotate_and_wait(*understander_, text); }
};
INSTANTIATE_TEST_SUITE_P(Encoder, UnderstanderBothWays, ::testing::Bool(),
                         [](const auto& given) { return given.param ? "with" : "without"; });

TEST_P(UnderstanderBothWays, AnExampleIsCertainHoweverItIsWritten) {
  for (const char* text : {"我要退款", "我要退款！", " 我 要 退 款 ", "I WANT my money back!!"}) {
    const Annotations found = annotate(text);
    EXPECT_EQ(found.likes[0].label, "refund") << text;
    EXPECT_EQ(found.likes[0].score, 1) << text;
  }
  EXPECT_EQ(annotate("Ｗｈｅｒｅ is my order").nearest_example, "where is my order");
}

TEST_P(UnderstanderBothWays, EveryLabelHasAScoreBestFirst) {
  const Annotations found = annotate("帮我查一下订单的物流");
  ASSERT_EQ(found.likes.size(), 3U);
  ASSERT_EQ(found.intents.size(), 2U);
  EXPECT_EQ(found.likes[0].label, "order");
  for (std::size_t i = 1; i < found.likes.size(); ++i) {
    EXPECT_GE(found.likes[i - 1].score, found.likes[i].score);
  }
  for (const Scored& scored : found.likes) {
    EXPECT_GE(scored.score, 0);
    EXPECT_LE(scored.score, 1);
  }
}

TEST_P(UnderstanderBothWays, WhatIsNothingOfTheFlowScoresLow) {
  for (const char* text :
       {"量子色动力学的渐近自由怎么证明", "please prove the Riemann hypothesis"}) {
    EXPECT_LT(annotate(text).likes[0].score, 0.5) << text;
  }
}

TEST_P(UnderstanderBothWays, ClausesOfOneLabelAddUp) {
  EXPECT_GE(score_of(annotate("你们太差劲了，气死我了").likes, "anger"), 0.9);
  EXPECT_GE(score_of(annotate("this is terrible service, I am very angry").likes, "anger"), 0.9);
  EXPECT_GE(score_of(annotate("没有别的问题了，再见").intents, "goodbye"), 0.9);
}

TEST_P(UnderstanderBothWays, APoliteBeginningDoesNotHideTheQuestion) {
  const Annotations found = annotate("你好，我的订单到哪了");
  EXPECT_EQ(found.likes[0].label, "order");
  EXPECT_GE(found.likes[0].score, 0.62);
  EXPECT_LT(score_of(found.intents, "greeting"), 0.75);  // what the examples' rules ask for
}

TEST_P(UnderstanderBothWays, LanguageAndEntities) {
  const Annotations found = annotate("我的订单 QX20240001 到哪了");
  EXPECT_EQ(found.language, Language::kChinese);
  ASSERT_EQ(found.entities.size(), 1U);
  EXPECT_EQ(found.entities[0].kind, "order_number");
  EXPECT_EQ(found.entities[0].value, "QX20240001");
}

TEST_P(UnderstanderBothWays, NumbersAndSymbolsAreNotJudged) {
  for (const char* text : {"QX20240001", "👍", "???", ""}) {
    const Annotations found = annotate(text);
    EXPECT_FALSE(found.language) << text;
    EXPECT_EQ(found.sentiment, "") << text;
    EXPECT_THAT(found.missing, IsEmpty()) << text;
    EXPECT_LT(found.likes[0].score, 0.3) << text;
  }
}

TEST_P(UnderstanderBothWays, NoExamplesAtAll) {
  const auto bare = make({}, GetParam() ? scripted() : Encoders{});
  const Annotations found = annotate_and_wait(*bare, "你好");
  EXPECT_THAT(found.likes, IsEmpty());
  EXPECT_THAT(found.intents, IsEmpty());
  EXPECT_THAT(found.missing, IsEmpty());
}

TEST_P(UnderstanderBothWays, VeryLongAndBrokenTextsAreJudged) {
  std::string text;
  while (text.size() < 1 << 20) text += "退款，订单。refund \xff\xfe ";
  EXPECT_EQ(annotate(text).likes.size(), 3U);
}

TEST(Understander, WithoutEncodersItSaysWhatIsMissing) {
  const auto understander = make(small_spec());
  EXPECT_THAT(annotate_and_wait(*understander, "我要退款").missing,
              ElementsAre("encoder-zh", "sentiment"));
  EXPECT_THAT(annotate_and_wait(*understander, "my money").missing,
              ElementsAre("encoder-en", "sentiment"));
  EXPECT_THAT(annotate_and_wait(*understander, "my money").embedding, IsEmpty());
}

TEST(Understander, EachLanguageIsAskedOfItsOwnEncoder) {
  const auto chinese = std::make_shared<testing::FakeEncoder>(
      [](const std::vector<std::string>& texts) -> Result<Embeddings> {
        return Embeddings(texts.size(), std::vector<float>{1, 0});
      });
  UnderstandSpec spec = small_spec();
  spec.sentiment = false;
  const auto understander = make(spec, {chinese, nullptr});
  for (const auto& texts : chinese->asked) {
    for (const std::string& text : texts) EXPECT_EQ(detect_language(text), Language::kChinese);
  }
  chinese->asked.clear();
  EXPECT_THAT(annotate_and_wait(*understander, "where is it").missing, ElementsAre("encoder-en"));
  EXPECT_THAT(chinese->asked, IsEmpty());
  EXPECT_THAT(annotate_and_wait(*understander, "我的order在哪里").missing, IsEmpty());
  EXPECT_EQ(chinese->asked.size(), 1U);
}

// An encoder that starts to fail must not stop the flow: terms decide, and `missing` tells.
TEST(Understander, AFailingEncoderLeavesTheTerms) {
  bool fails = false;
  const auto encoder = std::make_shared<testing::FakeEncoder>(
      [&](const std::vector<std::string>& texts) -> Result<Embeddings> {
        if (fails) return unavailable("gone");
        return Embeddings(texts.size(), std::vector<float>{1, 0});
      });
  const auto understander = make(small_spec(), {encoder, nullptr});
  fails = true;
  const Annotations found = annotate_and_wait(*understander, "我要退款吧");
  EXPECT_EQ(found.likes[0].label, "refund");
  EXPECT_THAT(found.missing, Contains("encoder-zh"));
}

TEST(Understander, AnEncoderThatFailsAtTheStartIsAnError) {
  const auto encoder = std::make_shared<testing::FakeEncoder>(
      [](const std::vector<std::string>&) -> Result<Embeddings> { return unavailable("gone"); });
  const auto made = Understander::make(small_spec(), {encoder, nullptr});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kUnavailable);
}

TEST(Understander, AnswersAfterItIsGone) {
  const auto encoder = std::make_shared<testing::FakeEncoder>(
      [](const std::vector<std::string>& texts) -> Result<Embeddings> {
        return Embeddings(texts.size(), std::vector<float>{1, 0});
      });
  auto understander = make(small_spec(), {encoder, nullptr});
  encoder->hold(true);
  int answers = 0;
  understander->annotate({"我要退款"}, [&](const Annotations& found) {
    EXPECT_EQ(found.likes[0].label, "refund");
    ++answers;
  });
  understander.reset();
  EXPECT_EQ(answers, 0);
  encoder->release();
  EXPECT_EQ(answers, 1);
}

TEST(Understander, AForeignEncoderGetsNoSentiment) {
  const Annotations found = annotate_and_wait(*make(small_spec(), scripted()), "气死我了");
  EXPECT_EQ(found.sentiment, "");
  EXPECT_THAT(found.missing, ElementsAre("sentiment"));
  EXPECT_THAT(found.embedding, Not(IsEmpty()));
}

TEST(Understander, EmbedNeedsTheEncoder) {
  std::vector<Result<Embeddings>> answers;
  const auto keep = [&](Result<Embeddings> made) { answers.push_back(std::move(made)); };
  make(small_spec(), scripted())->embed("退款", Language::kChinese, keep);
  make(small_spec())->embed("退款", Language::kChinese, keep);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers[0]);
  ASSERT_FALSE(answers[1]);
  EXPECT_EQ(answers[1].error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace qiao
