// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/decide.h"

#include <gtest/gtest.h>

namespace qiao::flow {
namespace {

Route rule(std::string name, Condition when, std::string to) {
  Route route;
  route.name = std::move(name);
  route.when = std::move(when);
  route.to = std::move(to);
  return route;
}

class DecideTest : public ::testing::Test {
 protected:
  DecideTest() {
    Condition number;
    number.entity = "order_number";
    Condition angry;
    angry.sentiment = "negative";
    Route refund;
    refund.name = "refund";
    refund.like = {"refund"};
    refund.to = "agent.returns";
    Route unknown;
    unknown.name = "unknown";
    unknown.otherwise = true;
    unknown.to = "human.desk";
    config_.routes.routes = {rule("care", angry, "agent.care"),
                             rule("order", number, "agent.order"), refund, unknown};
    for (const char* name : {"care", "order", "returns", "chain"}) {
      AgentConfig agent;
      agent.name = name;
      config_.agents.push_back(std::move(agent));
    }
    config_.intents = {{"bye", {"bye"}}};
    config_.end.intent = "bye";
    entry_.id = "days";
  }
  Decision decide_now() {
    return decide({config_, text_message("f.in", "words"), seen_, hits_}, conversation_);
  }
  bool ends_now() { return wants_to_end({config_, text_message("f.in", "words"), seen_, hits_}); }
  void sees_number() {
    Entity number;
    number.kind = "order_number";
    number.value = "QX1";
    seen_.entities = {number};
  }

  FlowConfig config_;
  Annotations seen_;
  KnowledgeEntry entry_;
  std::vector<KnowledgeHit> hits_;
  Conversation conversation_;
};

TEST_F(DecideTest, CountsMessagesThatNoRouteWasMadeFor) {
  EXPECT_EQ(decide_now().route, "unknown");
  EXPECT_EQ(decide_now().to, "human.desk");
  EXPECT_EQ(conversation_.unknown, 2);
  seen_.likes = {{"refund", 0.9}};
  EXPECT_EQ(decide_now().route, "refund");
  EXPECT_EQ(conversation_.unknown, 0);
}

TEST_F(DecideTest, ACertainEntryAnswers) {
  hits_ = {{&entry_, 0.95, "how many days"}};
  const Decision decision = decide_now();
  EXPECT_EQ(decision.tier, "knowledge");
  EXPECT_EQ(decision.route, "knowledge");
  EXPECT_EQ(decision.reason, "entry days score 0.95 >= 0.90");
  EXPECT_EQ(conversation_.unknown, 0);
}

TEST_F(DecideTest, ARuleOrAClearerRouteComesBeforeTheEntry) {
  hits_ = {{&entry_, 0.95, "how many days"}};
  seen_.likes = {{"refund", 0.97}};
  EXPECT_EQ(decide_now().route, "refund");
  seen_.likes = {{"refund", 0.94}};
  EXPECT_EQ(decide_now().route, "knowledge");
  seen_.sentiment = "negative";
  seen_.sentiment_score = 0.99;
  EXPECT_EQ(decide_now().route, "care");
}

TEST_F(DecideTest, AnEntryThatLeadsClearlyAnswersThoughItIsNotCertain) {
  config_.knowledge.to = "agent.returns";
  hits_ = {{&entry_, 0.7, "how many days", 0.6, 0.08}};
  EXPECT_EQ(decide_now().route, "related");  // nobody asked for it
  config_.knowledge.clear = ClearConfig{0.65, 0.05};
  const Decision decision = decide_now();
  EXPECT_EQ(decision.to, "knowledge");
  EXPECT_EQ(decision.reason, "entry days score 0.70 >= 0.65, 0.08 ahead");
  hits_[0].ahead = 0.04;
  EXPECT_EQ(decide_now().route, "related");
  hits_[0].ahead = 0.08;
  hits_[0].score = 0.64;
  EXPECT_EQ(decide_now().route, "related");
}

// Both lead to who answers from knowledge: the entry itself is better.
TEST_F(DecideTest, AClearerRouteToTheAgentOfTheKnowledgeDoesNotKeepAnEntryFromAnswering) {
  config_.knowledge.clear = ClearConfig{0.65, 0.05};
  hits_ = {{&entry_, 0.7, "how many days", 0.6, 0.08}};
  seen_.likes = {{"refund", 0.9}};
  const std::string refund_to = decide_now().to;
  EXPECT_EQ(decide_now().route, "refund");
  config_.knowledge.to = refund_to;
  EXPECT_EQ(decide_now().route, "knowledge");
}

TEST_F(DecideTest, ARelatedEntryIsBetterThanNoRoute) {
  hits_ = {{&entry_, 0.6, "how many days"}};
  EXPECT_EQ(decide_now().route, "unknown");
  config_.knowledge.to = "agent.returns";
  EXPECT_EQ(decide_now().route, "related");
  EXPECT_EQ(decide_now().to, "agent.returns");
}

// An intent that no rule takes is known, but answers nothing.
TEST_F(DecideTest, ARelatedEntryIsBetterThanTheRouteForTheRest) {
  config_.knowledge.to = "agent.returns";
  seen_.intents = {{"bye", 0.7}};
  hits_ = {{&entry_, 0.8, "how do I say goodbye to my account"}};
  EXPECT_EQ(decide_now().route, "related");
}

TEST_F(DecideTest, ARuleComesBeforeARelatedEntryWhateverTheExamplesSay) {
  config_.knowledge.to = "agent.chain";
  hits_ = {{&entry_, 0.72, "how many days"}};
  sees_number();
  seen_.likes = {{"refund", 0.3}};
  EXPECT_EQ(decide_now().route, "order");
  EXPECT_EQ(conversation_.unknown, 0);
}

TEST_F(DecideTest, ARelatedEntryTakesFromARouteThatIsClearlyLessAlike) {
  config_.knowledge.to = "agent.chain";
  seen_.likes = {{"refund", 0.7}};
  hits_ = {{&entry_, 0.74, "how many days"}};
  EXPECT_EQ(decide_now().route, "refund");
  hits_ = {{&entry_, 0.8, "how many days"}};
  EXPECT_EQ(decide_now().route, "related");
  EXPECT_EQ(decide_now().to, "agent.chain");
  sees_number();
  EXPECT_EQ(decide_now().route, "order");
}

TEST_F(DecideTest, TheAnswerGoesToWhoAsked) {
  conversation_.asked = {"order_number", "refund", "returns"};
  sees_number();
  const Decision decision = decide_now();  // the rule `order` would take it
  EXPECT_EQ(decision.tier, "follow-up");
  EXPECT_EQ(decision.to, "agent.returns");
  EXPECT_TRUE(conversation_.asked.entity.empty());  // asked once, answered once
  EXPECT_EQ(decide_now().route, "order");
}

TEST_F(DecideTest, AngerComesBeforeTheAnswer) {
  conversation_.asked = {"order_number", "refund", "returns"};
  sees_number();
  seen_.sentiment = "negative";
  seen_.sentiment_score = 0.99;
  EXPECT_EQ(decide_now().route, "care");
}

TEST_F(DecideTest, ARunningGameGoesOn) {
  conversation_.game = "chain";
  conversation_.game_route = "games";
  conversation_.game_state = Json{{"last", "x"}};
  sees_number();
  const Decision decision = decide_now();
  EXPECT_EQ(decision.tier, "game");
  EXPECT_EQ(decision.route, "games");
  EXPECT_EQ(decision.to, "agent.chain");
  EXPECT_EQ(conversation_.unknown, 0);
}

TEST_F(DecideTest, AGameIsLeftForARouteThatIsNamed) {
  conversation_.game = "chain";
  conversation_.game_state = Json{{"last", "x"}};
  seen_.likes = {{"refund", 0.95}};
  EXPECT_EQ(decide_now().route, "refund");
  EXPECT_TRUE(conversation_.game.empty());
  EXPECT_TRUE(conversation_.game_state.is_null());
}

// What must be heard, such as a cry for help, is a rule of words.
TEST_F(DecideTest, ARuleOfWordsComesBeforeGameAndGoodbye) {
  Condition words;
  words.words = {"words"};
  config_.routes.routes.insert(config_.routes.routes.begin(), rule("danger", words, "human.desk"));
  conversation_.game = "chain";
  conversation_.game_state = Json{{"last", "x"}};
  seen_.intents = {{"bye", 0.95}};
  EXPECT_FALSE(ends_now());
  EXPECT_EQ(decide_now().route, "danger");
  EXPECT_TRUE(conversation_.game.empty());
  EXPECT_TRUE(conversation_.game_state.is_null());
  seen_.intents = {{"bye", 1.0}};
  EXPECT_TRUE(ends_now());
}

TEST_F(DecideTest, TheWishToEndMustBeTheClearest) {
  seen_.intents = {{"bye", 0.88}};
  EXPECT_TRUE(ends_now());
  seen_.likes = {{"refund", 0.9}};
  EXPECT_FALSE(ends_now());
  seen_.likes = {{"refund", 0.85}};  // about as clear is not the clearest
  EXPECT_FALSE(ends_now());
  seen_.likes = {{"refund", 0.8}};
  EXPECT_TRUE(ends_now());
  seen_.likes.clear();
  config_.end.score = 0.9;
  EXPECT_FALSE(ends_now());
  seen_.intents = {{"greeting", 0.99}, {"bye", 0.95}};
  EXPECT_FALSE(ends_now());
}

// An end has a bar of its own: one that is wrong cannot be taken back.
TEST_F(DecideTest, WhatOnlyRoughlySoundsLikeAGoodbyeEndsNothing) {
  config_.routes.threshold = 0.62;
  seen_.intents = {{"bye", 0.8}};
  EXPECT_FALSE(ends_now());
  config_.end.score = 0.75;
  EXPECT_TRUE(ends_now());
}

TEST_F(DecideTest, AnEntryThatIsMoreAlikeHoldsTheEndUp) {
  seen_.intents = {{"bye", 0.9}};
  hits_ = {{&entry_, 0.93, "how do I say goodbye to my account"}};
  EXPECT_FALSE(ends_now());
  hits_ = {{&entry_, 0.7, "how do I say goodbye to my account"}};
  EXPECT_TRUE(ends_now());
}

TEST_F(DecideTest, TheVeryWordsOfAGoodbyeEndWhateverIsNear) {
  seen_.intents = {{"bye", 1.0}};
  seen_.likes = {{"refund", 0.97}};
  EXPECT_TRUE(ends_now());
}

// A rule with examples says what the message is only where its conditions hold.
TEST_F(DecideTest, ExamplesOfARuleHoldTheEndUpOnlyWhereItHolds) {
  config_.routes.routes[1].like = {"when does it come"};  // `order`: with a number
  seen_.intents = {{"bye", 0.88}};
  seen_.likes = {{"order", 0.9}, {"refund", 0.3}};
  EXPECT_TRUE(ends_now());
  sees_number();
  EXPECT_FALSE(ends_now());
  seen_.entities.clear();
  seen_.likes = {{"order", 0.95}, {"refund", 0.9}};
  EXPECT_FALSE(ends_now());
}

}  // namespace
}  // namespace qiao::flow
