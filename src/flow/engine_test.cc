// SPDX-License-Identifier: Apache-2.0
#include "flow/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/testing/flow_rig.h"
#include "model/scripted_model.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;
using testing::FlowRig;
using ::testing::HasSubstr;
using testing::HeldModel;
using ::testing::SizeIs;

constexpr const char* kShop = R"(flow: f
end: { intent: bye, idle: 10m, turns: 4, text: { zh: 再见！, en: Goodbye! } }
understand:
  intents: { bye: [ goodbye, 再见 ] }
  entities: [ order_number ]
routes:
  - { name: person, like: [ talk to a person, 转人工 ], to: human.desk }
  - { name: order, when: { entity: order_number }, to: agent.order }
  - { name: track, like: [ where is my parcel, 我的包裹在哪里 ], to: agent.order }
  - { name: chat, like: [ tell me about the shop, 介绍一下你们店 ], to: agent.chat }
  - { name: nothing, when: { facts: { words: "0" } }, to: agent.again }
  - { name: unknown, otherwise: true, to: agent.again }
thresholds: { semantic: 0.6, margin: 0.0 }
knowledge: { files: [ knowledge/*.yaml ], certain: 0.9, related: 0.5 }
tools:
  look:
    http: { url: "http://127.0.0.1:{port}/{order_number}" }
    start: [ python3, helper.py ]
    needs: [ order_number ]
    ask: { zh: 请告诉我订单号。, en: "Which order number?" }
    timeout: 20s
agents:
  order: { kind: template, tools: [ look ], template: { zh: "订单{look.state}", en: "It is {look.state}." } }
  chat: { prompt: p.md, filter: [ language, length ], template: { zh: 我们卖伞。, en: "We sell umbrellas." } }
  again: { kind: template, template: { zh: 请再说一遍。, en: "Say it again, please." } }
fallback: { to: human.desk, text: { zh: 已转人工。, en: "I passed you to a person." } }
budget: { hops: 3, tokens: 500, wall: 30s }
)";

constexpr const char* kHelper = R"(import http.server, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = self.path == "/QX20260101"
        body = b'{"state": "on its way"}' if found else b'{}'
        self.send_response(200 if found else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["QIAO_TOOL_PORT"])), H).serve_forever()
)";

class EngineTest : public ::testing::Test {
 protected:
  explicit EngineTest(const char* yaml = kShop) : rig_(yaml) {
    rig_.folder.write("p.md", "You sell umbrellas.");
    rig_.folder.write("helper.py", kHelper);
    rig_.folder.write("knowledge/a.yaml",
                      "- { id: hours, questions: { zh: [ 几点开门 ], en: [ when do you open ] }, "
                      "answer: { zh: 九点开门。, en: We open at nine. } }\n");
    rig_.options.start_tools = false;
  }
  void start(std::vector<ScriptLine> lines = {}, ScriptFaults faults = {}) {
    model_ = std::make_shared<ScriptedModel>(std::move(lines), 1, faults);
    rig_.models["chat"] = model_;
    rig_.start();
  }

  FlowRig rig_;
  std::shared_ptr<ScriptedModel> model_;
};

TEST_F(EngineTest, KnowledgeAnswersWithoutTheModel) {
  start({{"", "made up", {}}});
  rig_.say("几点开门？");
  EXPECT_THAT(rig_.replies(), ElementsAre("九点开门。"));
  EXPECT_EQ(rig_.route(), "knowledge");
  EXPECT_EQ(model_->calls(), 0U);
  rig_.say("When do you open?");
  EXPECT_EQ(rig_.reply(), "We open at nine.");
}

TEST_F(EngineTest, ReplyCarriesWhereItCameFrom) {
  start();
  rig_.say("几点开门？");
  const Message reply = rig_.messages("f.out").at(0);
  EXPECT_EQ(reply.conversation, "c1");
  EXPECT_EQ(reply.correlation, rig_.last_id);
  EXPECT_EQ(reply.cause, rig_.last_id);
  EXPECT_EQ(reply.source, "flow/f");
  EXPECT_EQ(reply.headers.at("x-route"), "knowledge");
  EXPECT_EQ(reply.headers.at("x-language"), "zh");
  EXPECT_EQ(reply.budget.hops, 2);
}

TEST_F(EngineTest, ModelAnswersASemanticRoute) {
  start({{"shop", "We have sold umbrellas since 1990.", {}}});
  rig_.say("tell me about the shop");
  EXPECT_EQ(rig_.reply(), "We have sold umbrellas since 1990.");
  EXPECT_EQ(rig_.route(), "chat");
  EXPECT_EQ(rig_.messages("f.out").at(0).headers.at("x-ai-generated"), "true");
  EXPECT_EQ(rig_.events("decision").at(0)["tier"], "semantic");
  EXPECT_EQ(rig_.events("filter").at(0)["passed"], true);
  EXPECT_EQ(model_->last_request()->turns.at(0).content, "You sell umbrellas.");
  EXPECT_EQ(model_->last_request()->shared_turns, 2U);
}

TEST_F(EngineTest, ToolIsCalledForARule) {
  rig_.options.start_tools = true;
  start();
  rig_.say("QX20260101 please");
  ASSERT_TRUE(rig_.run_until([&] { return !rig_.replies().empty(); }));
  EXPECT_EQ(rig_.reply(), "It is on its way.");
  EXPECT_EQ(rig_.route(), "order");
  EXPECT_EQ(rig_.events("tool.call").at(0)["arguments"]["order_number"], "QX20260101");
  EXPECT_EQ(rig_.events("tool.done").at(0)["result"]["state"], "on its way");
}

TEST_F(EngineTest, ToolThatFailsIsSaidSo) {
  rig_.options.start_tools = true;
  start();
  rig_.say("QX20260102 please");
  ASSERT_TRUE(rig_.run_until([&] { return !rig_.replies().empty(); }));
  EXPECT_THAT(rig_.reply(), HasSubstr("look-up does not work"));
  EXPECT_EQ(rig_.events("tool.done").at(0)["status"], 500);
}

TEST_F(EngineTest, MissingEntityIsAskedForAndRemembered) {
  rig_.options.start_tools = true;
  start();
  rig_.say("where is my parcel");
  EXPECT_EQ(rig_.reply(), "Which order number?");
  rig_.say("QX20260101");
  ASSERT_TRUE(rig_.run_until([&] { return rig_.replies().size() == 2; }));
  EXPECT_EQ(rig_.reply(), "It is on its way.");
}

TEST_F(EngineTest, RejectedDraftsFallToTheTemplate) {
  start({{"", "这不是英文", {}}});
  rig_.say("tell me about the shop");
  EXPECT_EQ(rig_.reply(), "We sell umbrellas.");
  EXPECT_EQ(model_->calls(), 2U);  // the second draft was told why
  EXPECT_THAT(model_->last_request()->turns.at(2).content, HasSubstr("not accepted"));
  ASSERT_THAT(rig_.events("filter"), SizeIs(2));
  EXPECT_EQ(rig_.events("filter")[1]["passed"], false);
  EXPECT_THAT(rig_.events("model.failed"), SizeIs(1));
}

TEST_F(EngineTest, AModelThatAsksForAPersonIsTakenAtItsWord) {
  start({{"", "“Talk to a person.”", {}}});
  rig_.say("tell me about the shop");
  EXPECT_EQ(rig_.reply(), "I passed you to a person.");
  EXPECT_THAT(rig_.messages("human.desk"), SizeIs(1));
  EXPECT_EQ(model_->calls(), 1U);
  EXPECT_EQ(rig_.events("filter").at(0)["passed"], false);
}

TEST_F(EngineTest, EventsAndReplyAreOneCommit) {
  start({{"", "Yes.", {}}});
  rig_.say("tell me about the shop");
  // The records after the lease, in the order they were appended in one batch.
  std::vector<std::string> kinds;
  for (const Record& record : rig_.records()) {
    if (const auto* event = std::get_if<record::Event>(&record)) kinds.push_back(event->type);
    if (std::get_if<record::Acked>(&record)) kinds.emplace_back("ack");
    const auto* published = std::get_if<record::Published>(&record);
    if (published && published->message.subject == "f.out") kinds.emplace_back("reply");
  }
  EXPECT_THAT(kinds, ::testing::UnorderedElementsAre("turn", "understood", "decision", "model.done",
                                                     "filter", "conversation", "reply", "ack"));
}

TEST_F(EngineTest, PersonTakesOverAndHandsBack) {
  start();
  rig_.say("talk to a person");
  EXPECT_EQ(rig_.reply(), "I passed you to a person.");
  ASSERT_THAT(rig_.messages("human.desk"), SizeIs(1));
  const Message asked = rig_.messages("human.desk").at(0);
  EXPECT_EQ(asked.reply_to, "f.replies");
  EXPECT_EQ(asked.conversation, "c1");

  // While the person holds it, nobody else answers.
  rig_.say("When do you open?");
  EXPECT_THAT(rig_.replies("human.desk"), ElementsAre("talk to a person", "When do you open?"));
  EXPECT_THAT(rig_.replies(), SizeIs(1));

  Message answer = text_message("f.replies", "Ann here, at nine.", "c1");
  answer.source = "desk/ann";
  rig_.publish(answer);
  EXPECT_EQ(rig_.reply(), "Ann here, at nine.");
  answer = text_message("f.replies", "Over to the program.", "c1");
  answer.headers["x-done"] = "true";
  rig_.publish(answer);
  rig_.say("When do you open?");
  EXPECT_EQ(rig_.reply(), "We open at nine.");
}

TEST_F(EngineTest, ReplyOfAPersonWithoutConversationIsDropped) {
  start();
  rig_.publish(text_message("f.replies", "to nobody"));
  EXPECT_TRUE(rig_.replies().empty());
  rig_.say("When do you open?");
  EXPECT_EQ(rig_.reply(), "We open at nine.");
}

TEST_F(EngineTest, GoodbyeEndsAndTheNextMessageBegins) {
  start();
  rig_.say("goodbye");
  EXPECT_EQ(rig_.reply(), "Goodbye!");
  EXPECT_EQ(rig_.events("conversation").back()["state"], "ended");
  rig_.say("When do you open?");
  EXPECT_EQ(rig_.events("conversation").back()["state"], "open");
  EXPECT_EQ(rig_.events("conversation").back()["turn"], 1);
}

TEST_F(EngineTest, IdleConversationsEnd) {
  start();
  rig_.say("When do you open?");
  rig_.loop->advance_ms(9 * 60'000);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  rig_.loop->advance_ms(3 * 60'000);
  EXPECT_THAT(rig_.replies(), SizeIs(2));
  EXPECT_EQ(rig_.reply(), "Goodbye!");
  EXPECT_EQ(rig_.events("conversation").back()["reason"], "idle");
  rig_.loop->advance_ms(30 * 60'000);
  EXPECT_THAT(rig_.replies(), SizeIs(2));
}

TEST_F(EngineTest, TurnsEndAtTheirLimit) {
  start();
  for (int i = 0; i < 4; ++i) rig_.say("When do you open?");
  EXPECT_EQ(rig_.reply(), "We open at nine.\nGoodbye!");
  EXPECT_EQ(rig_.events("conversation").back()["state"], "ended");
}

TEST_F(EngineTest, NothingSaidIsAskedAgain) {
  start();
  for (const char* text : {"", "   ", "😀", "？！"}) {
    rig_.say(text);
    EXPECT_EQ(rig_.route(), "nothing") << text;
  }
  EXPECT_THAT(rig_.replies(), SizeIs(4));
}

TEST_F(EngineTest, LanguageStaysWhenAMessageHasNone) {
  start();
  rig_.say("你们几点开门");
  rig_.say("123");
  EXPECT_EQ(rig_.reply(), "请再说一遍。");
}

TEST_F(EngineTest, ConversationsAreAnsweredSideBySide) {
  const auto held = std::make_shared<HeldModel>();
  rig_.models["chat"] = held;
  rig_.start();
  rig_.say("tell me about the shop", "slow");
  rig_.say("When do you open?", "quick");
  rig_.say("When do you open?", "slow");  // waits for its turn
  EXPECT_THAT(rig_.replies(), ElementsAre("We open at nine."));
  held->answer("Umbrellas, since 1990.");
  rig_.loop->run();
  EXPECT_THAT(rig_.replies(),
              ElementsAre("We open at nine.", "Umbrellas, since 1990.", "We open at nine."));
}

TEST_F(EngineTest, SenderWhoWaitsIsAnsweredAtItsSubject) {
  start();
  Message message = text_message("f.in", "When do you open?", "c1");
  message.reply_to = "inbox.7";
  rig_.publish(message);
  ASSERT_THAT(rig_.messages("inbox.7"), SizeIs(1));
  EXPECT_EQ(rig_.messages("inbox.7")[0].correlation, rig_.last_id);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
}

TEST_F(EngineTest, TellsWhatItLacks) {
  rig_.start();
  EXPECT_THAT(rig_.engine->lacks(), ElementsAre("chat", "encoder-en", "encoder-zh"));
  rig_.say("tell me about the shop");
  EXPECT_EQ(rig_.reply(), "We sell umbrellas.");
}

constexpr const char* kGame = R"(flow: f
routes:
  - { name: games, like: [ idiom chain, 成语接龙 ], to: agent.chain }
  - { name: else, otherwise: true, to: agent.else }
agents:
  chain: { kind: game, game: idiom-chain, data: idioms.txt }
  else: { kind: template, template: else }
)";

class GameFlowTest : public EngineTest {
 protected:
  GameFlowTest() : EngineTest(kGame) {
    rig_.folder.write("idioms.txt", "一心一意\n意气风发\n发扬光大\n大公无私\n");
  }
};

TEST_F(GameFlowTest, ARestartRemembersTheGame) {
  rig_.with_history = true;
  start();
  rig_.say("成语接龙");
  ASSERT_TRUE(rig_.run_until([&] { return rig_.replies().size() == 1; }));
  start();
  rig_.say("提示");
  ASSERT_TRUE(rig_.run_until([&] { return rig_.replies().size() == 2; }));
  EXPECT_EQ(rig_.events("decision").back()["tier"], "game");
  EXPECT_EQ(rig_.events("conversation").back()["turn"], 2);
}

TEST_F(GameFlowTest, AGameRunsUntilItIsOver) {
  start();
  rig_.say("成语接龙");
  EXPECT_EQ(rig_.route(), "games");
  EXPECT_EQ(rig_.events("conversation").back()["game"], "chain");
  rig_.say("随便");
  EXPECT_EQ(rig_.events("decision").back()["tier"], "game");
  rig_.say("不玩了");
  EXPECT_FALSE(rig_.events("conversation").back().contains("game"));
  rig_.say("随便");
  EXPECT_EQ(rig_.route(), "else");
}

constexpr const char* kGrounded = R"(flow: f
routes: [ { name: all, otherwise: true, to: agent.shop } ]
knowledge: { files: [ knowledge/*.yaml ], certain: 0.95, related: 0.2, to: agent.shop }
agents:
  shop: { prompt: p.md, knowledge: true, filter: [ grounded ], retries: 0, stream: false, template: Ask at the desk. }
)";

class GroundedFlowTest : public EngineTest {
 protected:
  GroundedFlowTest() : EngineTest(kGrounded) {}
  void say(const std::string& words) {
    ASSERT_TRUE(rig_.streams->attach("m1", {}, {[this](const StreamEvent& event) {
                                       if (event.kind != StreamEvent::Kind::kInfo)
                                         seen_.push_back(event);
                                     }}));
    Message message = text_message("f.in", words, "c1");
    message.id = "m1";
    rig_.publish(message);
  }

  std::vector<StreamEvent> seen_;  // what readers were shown
};

TEST_F(GroundedFlowTest, ADraftThatDoesNotPassIsShownToNobody) {
  start({{"", "Yes, of course.", {}}});
  say("do you open early in the morning");
  EXPECT_EQ(rig_.reply(), "Ask at the desk.");
  EXPECT_EQ(rig_.events("filter").at(0)["verdicts"].at(0)["filter"], "grounded");
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_EQ(seen_[0].text, "Ask at the desk.");
  EXPECT_EQ(seen_[1].kind, StreamEvent::Kind::kEnd);
}

TEST_F(GroundedFlowTest, OneThatDoesIsShownWhole) {
  rig_.folder.write("knowledge/a.yaml",
                    "- { id: hours, questions: { en: [ when do you open ] }, "
                    "answer: { en: The shop opens at nine and closes at eight. } }\n");
  start({{"", "It opens at nine and closes at eight.", {}}});
  say("when do you open in the morning");
  EXPECT_EQ(rig_.reply(), "It opens at nine and closes at eight.");
  ASSERT_THAT(seen_, SizeIs(2));
  EXPECT_EQ(seen_[0].text, "It opens at nine and closes at eight.");
}

TEST_F(GroundedFlowTest, WithNothingGivenNoModelIsAsked) {
  start({{"", "made up", {}}});
  say("colourless green ideas");
  EXPECT_EQ(rig_.reply(), "Ask at the desk.");
  EXPECT_EQ(model_->calls(), 0U);
}

}  // namespace
}  // namespace qiao
