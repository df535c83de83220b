// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/agents/template_text.h"
#include "model/scripted_model.h"

namespace qiao {
namespace {

using ::testing::HasSubstr;

class ContextTest : public ::testing::Test {
 protected:
  ContextTest() {
    agent_.name = "help";
    agent_.prompt = {"你很友好。", "You are kind."};
    agent_.prompt_file = {"help.zh.md", "prompts/help.md"};
    agent_.context_tokens = 400;
    conversation_ = std::make_shared<Conversation>();
    task_.agent = &agent_;
    task_.message_id = "m9";
    task_.text = "How long does it take?";
    task_.conversation = conversation_;
    entry_.id = "delivery";
    entry_.answer = {"三天", "Three days."};
  }
  Context build(std::string_view figures = {}) { return build_context(task_, figures, {}); }
  void talk(int messages, const std::string& text) {
    for (int i = 0; i < messages; ++i) {
      conversation_->remember({"m" + std::to_string(i), i % 2 == 0, text});
    }
  }

  AgentConfig agent_;
  std::shared_ptr<Conversation> conversation_;
  KnowledgeEntry entry_;
  AgentTask task_;
};

TEST_F(ContextTest, BeginsWithTheSharedPromptAndEndsWithTheQuestion) {
  talk(2, "before");
  task_.knowledge = {{&entry_, 0.7, "how long is delivery"}};
  const Context context = build();
  ASSERT_EQ(context.turns.size(), 5U);
  EXPECT_EQ(context.shared_turns, 2U);
  EXPECT_EQ(context.turns[0].content, "You are kind.");
  EXPECT_THAT(context.turns[1].content, HasSubstr("Three days."));
  EXPECT_THAT(context.turns[1].content, HasSubstr("Answer in English"));
  EXPECT_EQ(context.turns[2].role, Role::kUser);
  EXPECT_EQ(context.turns[3].role, Role::kAssistant);
  EXPECT_EQ(context.turns[4].content, task_.text);
  EXPECT_EQ(context.input_read, 0U);
  EXPECT_TRUE(context.dropped.empty());
}

// So that a model which has read it once need not read it again.
TEST_F(ContextTest, AnEntryReadsTheSameHoweverItWasFound) {
  entry_.questions_en = {"How long is delivery?", "When does it come?"};
  task_.knowledge = {{&entry_, 0.7, "When does it come?"}};
  const std::string once = build().turns[1].content;
  EXPECT_THAT(once, HasSubstr("How long is delivery?"));
  task_.knowledge = {{&entry_, 0.9, "几天到"}};
  talk(2, "before");
  EXPECT_EQ(build().turns[1].content, once);
}

TEST_F(ContextTest, WhatIsOfThisTurnAloneComesAfterTheHistory) {
  talk(2, "before");
  ToolOutcome outcome;
  outcome.tool = "look";
  outcome.result = Json{{"state", "sent"}};
  task_.tools = {outcome};
  const Context context = build("rows: 3");
  ASSERT_EQ(context.turns.size(), 6U);
  EXPECT_EQ(context.turns[4].role, Role::kSystem);
  EXPECT_THAT(context.turns[4].content, HasSubstr("state: sent"));
  EXPECT_THAT(context.turns[4].content, HasSubstr("rows: 3"));
}

TEST_F(ContextTest, ANewLanguageIsSaidOnceMore) {
  talk(2, "我想退货，怎么办理？");
  const Context context = build();
  ASSERT_EQ(context.turns.size(), 6U);
  EXPECT_THAT(context.turns[4].content, HasSubstr("Answer in English"));
  talk(2, "how do I return it?");
  EXPECT_EQ(build().turns.size(), 7U) << "and not again";
}

TEST_F(ContextTest, TellsWhereEachPartCameFrom) {
  task_.knowledge = {{&entry_, 0.7, "q"}};
  ToolOutcome outcome;
  outcome.tool = "look";
  outcome.result = Json{{"state", "sent"}};
  task_.tools = {outcome};
  std::vector<std::string> sources;
  for (const ContextPart& part : build("rows: 3").parts) {
    sources.push_back(part.kind + ":" + part.source);
  }
  EXPECT_THAT(sources, ::testing::ElementsAre("system:prompts/help.md", "knowledge:delivery",
                                              "tool:look", "figures:", "instruction:", "user:m9"));
}

TEST_F(ContextTest, DropsOldHistoryFirstThenTheLeastRelated) {
  agent_.history = 8;
  talk(8, std::string(300, 'x'));
  entry_.answer = {"", std::string(400, 'y')};
  KnowledgeEntry less;
  less.id = "less";
  less.answer = {"", std::string(800, 'z')};
  task_.knowledge = {{&entry_, 0.8, "q"}, {&less, 0.6, "r"}};
  const Context context = build();
  EXPECT_LE(context.tokens, agent_.context_tokens);
  ASSERT_EQ(context.dropped.size(), 9U);
  EXPECT_EQ(context.dropped[0].source, "m0");
  EXPECT_EQ(context.dropped[8].source, "less");
  EXPECT_THAT(context.given, HasSubstr("yyy"));
}

TEST_F(ContextTest, CutsTheUsersTextLastAndSaysSo) {
  for (int i = 0; i < 300; ++i) task_.text += " This sentence has six words.";
  const Context context = build();
  EXPECT_LE(context.tokens, agent_.context_tokens);
  const std::string& read = context.turns.back().content;
  EXPECT_EQ(context.input_read, read.size());
  EXPECT_EQ(read.back(), ' ');  // cut after the end of a sentence
  EXPECT_EQ(read.substr(read.size() - 2), ". ");
  EXPECT_EQ(context.dropped.back().kind, "user");
}

TEST_F(ContextTest, CountsCharactersOfAChineseTextThatIsCut) {
  task_.language = Language::kChinese;
  task_.text.clear();
  for (int i = 0; i < 500; ++i) task_.text += "桥";
  const Context context = build();
  EXPECT_EQ(context.input_read * 3, context.turns.back().content.size());
  EXPECT_GT(context.input_read, 100U);
}

TEST_F(ContextTest, SpeaksTheUsersLanguageToTheModel) {
  task_.language = Language::kChinese;
  ToolOutcome outcome;
  outcome.tool = "look";
  outcome.result = Json{{"number", 7}, {"state_zh", "已发货"}, {"state_en", "sent"}};
  task_.tools = {outcome};
  const Context context = build();
  EXPECT_EQ(context.turns[0].content, "你很友好。");
  EXPECT_EQ(context.given, "工具结果 look:\nnumber: 7\nstate: 已发货\n");
  EXPECT_EQ(context.parts[0].source, "help.zh.md");
}

TEST_F(ContextTest, TellsTheModelWhyItsDraftWasRejected) {
  task_.rejection = "it is empty";
  EXPECT_THAT(build().turns[2].content, HasSubstr("it is empty"));
}

TEST_F(ContextTest, EstimateFollowsTheModelsTokenizer) {
  ScriptedModel model({});
  const TokenEstimate estimate = TokenEstimate::measure(model);
  EXPECT_GT(estimate.per_wide, 0.9);
  const std::string english = "A few plain words of an ordinary sentence.";
  const int exact = model.count_tokens(english).value();
  EXPECT_NEAR(estimate.count(english), exact, exact / 2.0);
  EXPECT_EQ(estimate.count(""), 0);
}

TEST_F(ContextTest, TemplateIsFilledOrNotGivenAtAll) {
  ToolOutcome outcome;
  outcome.tool = "look";
  outcome.result = Json{{"state", "sent"}, {"item", {{"name", "umbrella"}}}, {"count", 2}};
  task_.tools = {outcome};
  task_.knowledge = {{&entry_, 0.8, "q"}};
  Entity number;
  number.kind = "order_number";
  number.value = "QX1";
  conversation_->remember({number});
  EXPECT_EQ(fill_template("{entity.order_number}: {look.item.name} × {look.count} {look.state}. "
                          "{knowledge}",
                          task_),
            "QX1: umbrella × 2 sent. Three days.");
  EXPECT_EQ(fill_template("no holes", task_), "no holes");
  EXPECT_EQ(fill_template("an open { brace", task_), "an open { brace");
  EXPECT_EQ(fill_template("{look.price}", task_), std::nullopt);
  EXPECT_EQ(fill_template("{entity.phone}", task_), std::nullopt);
  task_.tools[0].error = "it failed";
  EXPECT_EQ(fill_template("{look.state}", task_), std::nullopt);
}

}  // namespace
}  // namespace qiao
