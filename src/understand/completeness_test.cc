// SPDX-License-Identifier: Apache-2.0
#include "understand/completeness.h"

#include <gtest/gtest.h>

#include <numeric>

#include "model/scripted_model.h"
#include "understand/testing/fake_encoder.h"

namespace qiao {
namespace {

double judged(const Completeness& completeness, std::string_view text) {
  double found = -1;
  completeness.judge(text, [&found](double score) { found = score; });
  return found;
}

TEST(CompletenessRules, EndsTellInBothLanguages) {
  for (const char* whole : {"where is my order?", "thanks!", "我要退款。", "几点开门？",
                            "满多少包邮呢", "Tell me a joke.", "好的，谢谢"}) {
    EXPECT_GE(complete_by_rules(whole), 0.8) << whole;
  }
  for (const char* cut :
       {"i would like to", "my order is", "because the", "where is my", "hello,", "我想", "因为",
        "你好，", "我想找一家", "这个东西是", "well...", "and (", "帮我查一下我的"}) {
    EXPECT_LE(complete_by_rules(cut), 0.3) << cut;
  }
  for (const char* open : {"blue umbrella", "QX20260101", "👍", "", "..."}) {
    EXPECT_GT(complete_by_rules(open), 0.3) << open;
    EXPECT_LT(complete_by_rules(open), 0.8) << open;
  }
}

TEST(Glance, IsOfOneSizeWhateverIsWritten) {
  const std::string huge(100'000, 'a');
  for (const std::string& text :
       {std::string(), std::string("a"), std::string("\xff\xfe"), huge, std::string("桥桥桥桥")}) {
    const std::vector<float> numbers = glance(text);
    ASSERT_EQ(numbers.size(), kGlanceSize);
    for (const float number : numbers) EXPECT_TRUE(number >= 0 && number <= 3);
  }
  EXPECT_NE(glance("i want to"), glance("i want it"));
  EXPECT_EQ(glance("I want it"), glance("i  want it"));
}

TEST(Completeness, WithoutEncodersRulesDecide) {
  const auto completeness = Completeness::make({});
  EXPECT_FALSE(completeness->has_head(Language::kChinese));
  EXPECT_EQ(judged(*completeness, "我想"), complete_by_rules("我想"));
  EXPECT_EQ(judged(*completeness, "where is it?"), complete_by_rules("where is it?"));
}

TEST(Completeness, AnotherEncoderDoesNotGetTheHead) {
  const auto scripted = std::make_shared<ScriptedModel>(std::vector<ScriptLine>{});
  const auto completeness = Completeness::make({scripted, scripted});
  EXPECT_FALSE(completeness->has_head(Language::kChinese));
  EXPECT_FALSE(completeness->has_head(Language::kEnglish));
}

TEST(Completeness, TheHeadsInTheProgramAreWhole) {
  for (const Language language : {Language::kChinese, Language::kEnglish}) {
    const auto head = Completeness::builtin(language);
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_GT(head->size(), kGlanceSize);
  }
}

// An encoder that gives the probe its vector gets the head; the ends of texts then decide, as all
// vectors are alike.
TEST(Completeness, ItsEncoderGetsTheHeadAndAFailureTheRules) {
  const auto head = Completeness::builtin(Language::kEnglish);
  ASSERT_TRUE(head);
  std::vector<float> vector(head->size() - kGlanceSize, 0);
  const auto& probe = head->card().probe_vector;
  std::copy(probe.begin(), probe.end(), vector.begin());
  auto fails = std::make_shared<bool>(false);
  const auto encoder = std::make_shared<testing::FakeEncoder>(
      [vector, fails](const std::vector<std::string>&) -> Result<Embeddings> {
        if (*fails) return unavailable("gone");
        return Embeddings{vector};
      });
  const auto completeness = Completeness::make({nullptr, encoder});
  ASSERT_TRUE(completeness->has_head(Language::kEnglish));
  EXPECT_FALSE(completeness->has_head(Language::kChinese));
  EXPECT_GT(judged(*completeness, "where is my order?"), judged(*completeness, "where is my"));
  *fails = true;
  EXPECT_EQ(judged(*completeness, "where is my"), complete_by_rules("where is my"));
}

}  // namespace
}  // namespace qiao
