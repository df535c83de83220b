// SPDX-License-Identifier: Apache-2.0
#include "flow/config/knowledge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/testing/shop_questions.h"

namespace qiao {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

KnowledgeEntry entry_of(const std::string& id, std::vector<std::string> questions,
                        const std::string& answer) {
  KnowledgeEntry entry;
  entry.id = id;
  entry.questions_en = std::move(questions);
  entry.answer.en = answer;
  return entry;
}

// Without an encoder: what terms alone find.
class KnowledgeTest : public ::testing::Test {
 protected:
  KnowledgeTest() {
    config_.certain = 0.9;
    config_.related = 0.4;
    config_.entries = {
        entry_of("points", {"how do I use my points"},
                 "At checkout hundred points pay one yuan, up to a fifth of the order."),
        entry_of("returns", {"how many days do I have to return something"},
                 "Within seven days of delivery, if it is undamaged."),
        entry_of("invoice", {"can I have an invoice"},
                 "Choose My orders, then Invoice; it reaches your mailbox within a day."),
    };
  }
  std::vector<KnowledgeHit> find(const std::string& text) {
    std::vector<KnowledgeHit> found;
    const auto base = KnowledgeBase::make(config_, {}).value();
    base->find(text, [&](std::vector<KnowledgeHit> hits) { found = std::move(hits); });
    return found;
  }

  KnowledgeConfig config_;
};

TEST_F(KnowledgeTest, AQuestionInItsOwnWordsIsAsAlikeAsCanBe) {
  const auto hits = find("How do I use my points?");
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].entry->id, "points");
  EXPECT_DOUBLE_EQ(hits[0].alike, 1);
  EXPECT_EQ(hits[0].question, "how do I use my points");
}

// No question shares a word with it.
TEST_F(KnowledgeTest, WhatOnlyTheAnswerSpeaksOfIsFoundByTheAnswer) {
  const auto hits = find("does it reach the mailbox within one day");
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].entry->id, "invoice");
  EXPECT_LT(hits[0].alike, hits[0].score);
  EXPECT_EQ(hits[0].ahead, 0);  // terms alone lead by chance
}

TEST_F(KnowledgeTest, WhatIsAskedForCertainGoesBeforeWhatFitsMore) {
  config_.entries.push_back(entry_of("long", {"tell me about points", "what are points for"},
                                     "How do I use my points: at checkout, how do I use them."));
  const auto hits = find("how do I use my points");
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].entry->id, "points");
}

TEST_F(KnowledgeTest, GivesNoMoreThanTopAndNothingUnrelated) {
  config_.top = 1;
  EXPECT_THAT(find("points or an invoice, how do I use them"), SizeIs(1));
  EXPECT_THAT(find("colourless green ideas sleep furiously"), IsEmpty());
}

TEST(ShopKnowledgeByTerms, InBothLanguages) {
  const testing::Found chinese = testing::find_shop_entries(Language::kChinese, {});
  EXPECT_GE(chinese.among, 14) << "of " << chinese.questions;
  const testing::Found english = testing::find_shop_entries(Language::kEnglish, {});
  EXPECT_GE(english.among, 18) << "of " << english.questions;
}

}  // namespace
}  // namespace qiao
