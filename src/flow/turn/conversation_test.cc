// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/conversation.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

Entity entity(std::string kind, std::string value) {
  Entity entity;
  entity.kind = std::move(kind);
  entity.text = value;
  entity.value = std::move(value);
  return entity;
}

TEST(Conversation, SurvivesItsJson) {
  Conversation before;
  before.id = "c1";
  before.state = Conversation::State::kPerson;
  before.turns = 7;
  before.language = Language::kChinese;
  before.unknown = 2;
  before.person = "human.desk";
  before.game = "chain";
  before.game_route = "idioms";
  before.game_state = Json{{"last", "一心一意"}};
  before.asked = {"order_number", "refund", "returns"};
  before.remember({entity("order_number", "QX1"), entity("phone", "123")});

  const Conversation after = conversation_from_json("c1", to_json(before));
  EXPECT_EQ(after.state, Conversation::State::kPerson);
  EXPECT_EQ(after.turns, 7);
  EXPECT_EQ(after.language, Language::kChinese);
  EXPECT_EQ(after.unknown, 2);
  EXPECT_EQ(after.person, "human.desk");
  EXPECT_EQ(after.game, "chain");
  EXPECT_EQ(after.game_state, before.game_state);
  EXPECT_EQ(after.asked.agent, "returns");
  EXPECT_EQ(after.entities.at("order_number").value, "QX1");
}

TEST(Conversation, EventsOfAnyFormMakeAConversation) {
  for (const char* text : {"null", "[]", "3", "{}", R"({"state":7,"turn":"x","entities":{}})",
                           R"({"turn":-5,"unknown":1e30,"asked":[],"game_state":"x"})"}) {
    const Conversation conversation = conversation_from_json("c", parse_json(text).value());
    EXPECT_EQ(conversation.state, Conversation::State::kOpen) << text;
    EXPECT_GE(conversation.turns, 0) << text;
  }
}

TEST(Conversation, RemembersWithinItsBounds) {
  Conversation conversation;
  const std::string huge(Conversation::kRememberedBytesMax - 1, 'a');
  for (std::size_t i = 0; i < Conversation::kMessagesMax + 5; ++i) {
    conversation.remember({std::to_string(i), true, huge + "桥桥"});
  }
  EXPECT_EQ(conversation.messages.size(), Conversation::kMessagesMax);
  EXPECT_EQ(conversation.messages.front().id, "5");
  EXPECT_EQ(conversation.messages.back().text, huge);  // no half character
  std::vector<Entity> many;
  for (std::size_t i = 0; i < 2 * Conversation::kEntitiesMax; ++i) {
    many.push_back(entity("kind" + std::to_string(i), "v"));
  }
  conversation.remember(many);
  EXPECT_EQ(conversation.entities.size(), Conversation::kEntitiesMax);
  conversation.remember({entity("kind0", "newer")});
  EXPECT_EQ(conversation.entities.at("kind0").value, "newer");
  conversation.remember({entity("kind0", "first"), entity("kind0", "second")});
  EXPECT_EQ(conversation.entities.at("kind0").value, "first");
}

TEST(Conversation, ResetKeepsTheLanguage) {
  Conversation conversation;
  conversation.id = "c";
  conversation.language = Language::kChinese;
  conversation.turns = 3;
  conversation.state = Conversation::State::kEnded;
  conversation.reset();
  EXPECT_EQ(conversation.id, "c");
  EXPECT_EQ(conversation.turns, 0);
  EXPECT_EQ(conversation.state, Conversation::State::kOpen);
  EXPECT_EQ(conversation.language, Language::kChinese);
}

std::shared_ptr<Conversation> numbered(int number) {
  auto conversation = std::make_shared<Conversation>();
  conversation->id = std::to_string(number);
  conversation->turns = 1;
  conversation->last_ms = number;
  return conversation;
}

TEST(ConversationStore, ForgetsTheOneUnusedForLongest) {
  ConversationStore store(2);
  store.put(numbered(1));
  store.put(numbered(2));
  ASSERT_NE(store.find("1"), nullptr);  // used again
  store.put(numbered(3));
  EXPECT_EQ(store.size(), 2U);
  EXPECT_EQ(store.find("2"), nullptr);
  EXPECT_NE(store.find("1"), nullptr);
}

TEST(ConversationStore, KeepsWhatIsInUse) {
  ConversationStore store(1);
  const auto used = numbered(1);
  store.put(used);
  store.put(numbered(2));
  EXPECT_NE(store.find("1"), nullptr);
  EXPECT_NE(store.find("2"), nullptr);
}

TEST(ConversationStore, TellsTheIdleOnesThatNobodyUses) {
  ConversationStore store;
  const auto used = numbered(1);
  store.put(used);
  for (int i = 2; i <= 4; ++i) store.put(numbered(i));
  store.find("3")->state = Conversation::State::kEnded;
  const auto idle = store.idle_since(4);
  ASSERT_EQ(idle.size(), 1U);
  EXPECT_EQ(idle[0]->id, "2");
}

}  // namespace
}  // namespace qiao
