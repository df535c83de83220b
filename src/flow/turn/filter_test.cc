// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qiao {
namespace {

using ::testing::HasSubstr;

FilterInput input(std::string question, std::string draft, Language language) {
  FilterInput input;
  input.question = std::move(question);
  input.draft = std::move(draft);
  input.language = language;
  return input;
}

std::vector<Verdict> run(const std::vector<FilterConfig>& filters, const FilterInput& input) {
  std::vector<Verdict> verdicts;
  bool done = false;
  run_filters(filters, input, nullptr, [&](std::vector<Verdict> found) {
    verdicts = std::move(found);
    done = true;
  });
  EXPECT_TRUE(done);
  return verdicts;
}

TEST(Filter, LanguageOfTheUser) {
  EXPECT_TRUE(check_language(input("运费多少", "满九十九元包邮。", Language::kChinese)).passed);
  EXPECT_FALSE(check_language(input("运费多少", "Free over 99 yuan.", Language::kChinese)).passed);
  EXPECT_FALSE(check_language(input("cost?", "满九十九元包邮。", Language::kEnglish)).passed);
  // A name or a number in the other language does not change the language of the answer.
  EXPECT_TRUE(check_language(input("?", "您的 iPhone 15 已发货。", Language::kChinese)).passed);
  EXPECT_TRUE(check_language(input("?", "42", Language::kChinese)).passed);
}

TEST(Filter, TheQuestionIsNoAnswer) {
  const auto passes = [](const char* question, const char* draft) {
    return check_repetition(input(question, draft, Language::kChinese)).passed;
  };
  EXPECT_FALSE(passes("周末送货吗", "周末送货吗？\n\n如果你的父母不在，那么可以看到。"));
  EXPECT_FALSE(passes("Can I return a scarf?", "Can I return a scarf?"));
  EXPECT_TRUE(passes("周末送货吗", "周末送货，节假日也不休息。"));
  EXPECT_TRUE(passes("今天天气真好", "今天天气真好，适合出去走走。"));
  EXPECT_TRUE(passes("good morning", "Good morning! How can I help?"));
}

TEST(Filter, PersonalDataThatNobodyGave) {
  EXPECT_FALSE(check_no_pii(input("hi", "Call 13812345678.", Language::kEnglish)).passed);
  EXPECT_FALSE(check_no_pii(input("hi", "Write to ann@example.com.", Language::kEnglish)).passed);
  EXPECT_TRUE(check_no_pii(input("I am 138 1234 5678", "Is 13812345678 right?", Language::kEnglish))
                  .passed);
  FilterInput given = input("hi", "Write to ann@example.com.", Language::kEnglish);
  given.given = "Knowledge: ann@example.com";
  EXPECT_TRUE(check_no_pii(given).passed);
}

TEST(Filter, LengthBoundsAndCutAnswers) {
  FilterInput some = input("q", "one two three", Language::kEnglish);
  some.tokens_max = 2;
  EXPECT_TRUE(check_length(some).passed);
  some.tokens_max = 1;
  EXPECT_THAT(check_length(some).reason, HasSubstr("3 words"));
  EXPECT_FALSE(check_length(input("q", "…!?", Language::kEnglish)).passed);
  some.tokens_max = 100;
  some.cut_off = true;
  EXPECT_THAT(check_length(some).reason, HasSubstr("cut off"));
}

TEST(Filter, LoopsAreRejected) {
  std::string loop;
  for (int i = 0; i < 20; ++i) loop += "thank you very much for your order ";
  EXPECT_FALSE(check_repetition(input("q", loop, Language::kEnglish)).passed);
  EXPECT_TRUE(check_repetition(input("q",
                                     "The parcel left our house on Monday and the courier brings "
                                     "it to your door within three days.",
                                     Language::kEnglish))
                  .passed);
}

TEST(Filter, NumbersThatNobodyGave) {
  FilterInput some = input("积分多久过期", "积分 60 天过期。", Language::kChinese);
  some.given = "积分自获得起十二个月内有效。";
  const Verdict verdict = check_numbers(some);
  EXPECT_FALSE(verdict.passed);
  EXPECT_THAT(verdict.reason, HasSubstr("60"));
  some.draft = "积分 12 个月内有效。";
  EXPECT_TRUE(check_numbers(some).passed);
  some.draft = "1. 积分 12 个月内有效。\n2. 到期前会提醒。";
  EXPECT_TRUE(check_numbers(some).passed);
  some.draft = "客服 9:00–21:00 在线。";
  EXPECT_FALSE(check_numbers(some).passed);
  some.prompt = "人工客服每天 9:00–21:00。";
  EXPECT_TRUE(check_numbers(some).passed);
  some.draft = "您有 3000 积分。";
  EXPECT_FALSE(check_numbers(some).passed);
  some.conversation = "I have 3,000 points";
  EXPECT_TRUE(check_numbers(some).passed);
}

TEST(Filter, GroundedIsWhatTheKnowledgeSays) {
  FilterInput some = input("办会员要交钱吗", "需要。", Language::kChinese);
  some.given = "注册即为普通会员，免费；一年消费满 1000 元升银卡。";
  EXPECT_FALSE(check_grounded(some).passed);
  some.draft = "不用交钱，注册即为普通会员。";
  EXPECT_TRUE(check_grounded(some).passed);
  some.draft = "注册即为普通会员吗？";  // asks back
  EXPECT_FALSE(check_grounded(some).passed);
  some.draft = "会员年费每年在首页充值中心用微信支付，注册送礼。";  // much of its own
  EXPECT_FALSE(check_grounded(some).passed);
  some = input("can I split the payment over two cards", "Yes, you can split the payment.",
               Language::kEnglish);
  some.given = "We take WeChat Pay, Alipay, bank cards and gift cards.";
  EXPECT_FALSE(check_grounded(some).passed);  // the question turned round
  some.draft = "We take WeChat Pay, Alipay and bank cards.";
  EXPECT_TRUE(check_grounded(some).passed);
}

TEST(Filter, JsonForm) {
  EXPECT_TRUE(check_json(input("q", R"({"a":1})", Language::kEnglish)).passed);
  EXPECT_FALSE(check_json(input("q", "a: 1", Language::kEnglish)).passed);
}

TEST(Filter, RelevantByWordsInCommon) {
  const std::string question = "How long does a refund take after I return the parcel?";
  EXPECT_TRUE(check_relevant_words(
                  input(question, "The refund takes three days after we have the parcel back.",
                        Language::kEnglish))
                  .passed);
  EXPECT_FALSE(check_relevant_words(
                   input(question, "Bananas grow best under warm tropical sunshine near oceans.",
                         Language::kEnglish))
                   .passed);
  EXPECT_TRUE(check_relevant_words(input(question, "You're welcome!", Language::kEnglish)).passed);
}

TEST(Filter, RelevantByVectors) {
  EXPECT_TRUE(check_relevant_vectors({{1, 0}, {0, 1}, {0.8F, 0.6F}}).passed);
  EXPECT_FALSE(check_relevant_vectors({{1, 0}, {0.1F, 0.99F}, {0, 1}}).passed);
}

TEST(Filter, StopsAtTheFirstThatRejects) {
  const auto verdicts = run({{"language", ""}, {"length", ""}, {"repetition", ""}},
                            input("你好", "Hello there", Language::kChinese));
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].filter, "language");
  EXPECT_FALSE(verdicts[0].passed);
}

TEST(Filter, RelevantIsAskedLastAndWithoutAnEncoderByWords) {
  const auto verdicts =
      run({{"relevant", ""}, {"language", ""}},
          input("refund parcel days", "The refund takes three working days.", Language::kEnglish));
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts[0].filter, "language");
  EXPECT_EQ(verdicts[1].filter, "relevant");
  EXPECT_TRUE(verdicts[1].passed);
}

}  // namespace
}  // namespace qiao
