// SPDX-License-Identifier: Apache-2.0
#include "route/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "route/condition.h"

namespace qiao {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Route rule(std::string name, Condition when) {
  Route route;
  route.to = "agent." + name;
  route.name = std::move(name);
  route.when = std::move(when);
  return route;
}

Route like(std::string name, std::string to = {}, double threshold = 0) {
  Route route;
  route.to = to.empty() ? "agent." + name : std::move(to);
  route.name = std::move(name);
  route.like = {"example"};
  route.threshold = threshold;
  return route;
}

Route otherwise(std::string name) {
  Route route;
  route.to = "agent." + name;
  route.name = std::move(name);
  route.otherwise = true;
  return route;
}

Decision decide(const RouteTable& table, const Annotations& annotations,
                std::string text = "text") {
  return route(text_message("in", std::move(text)), annotations, table);
}

RouteTable shop() {
  return {{like("refund"), like("order"), otherwise("rest")}, 0.62, 0.03};
}

Annotations scored(double refund, double order) {
  Annotations annotations;
  annotations.likes = {{"refund", refund}, {"order", order}};
  return annotations;
}

TEST(SemanticRoute, WinsAtItsThreshold) {
  const Decision at = decide(shop(), scored(0.62, 0.3));
  EXPECT_EQ(at.route, "refund");
  EXPECT_EQ(at.to, "agent.refund");
  EXPECT_EQ(at.tier, "semantic");
  EXPECT_EQ(at.reason, "refund 0.62 >= 0.62, 0.32 ahead of order >= 0.03");
  EXPECT_FALSE(at.out_of_scope);

  const Decision below = decide(shop(), scored(0.6199, 0.3));
  EXPECT_EQ(below.route, "rest");
  EXPECT_EQ(below.tier, "reject");
  EXPECT_EQ(below.reason, "refund 0.61 < 0.62");
  EXPECT_TRUE(below.out_of_scope);
}

TEST(SemanticRoute, MustLeadByTheMargin) {
  EXPECT_EQ(decide(shop(), scored(0.70, 0.66)).route, "refund");
  const Decision close = decide(shop(), scored(0.70, 0.68));
  EXPECT_EQ(close.route, "rest");
  EXPECT_EQ(close.tier, "reject");
  EXPECT_THAT(close.reason, HasSubstr("ahead of order < 0.03"));
  EXPECT_FALSE(close.out_of_scope) << "something was near enough; it was not clear which";
}

TEST(SemanticRoute, MarginDoesNotCountAgainstTheSameTarget) {
  RouteTable table = shop();
  table.routes.insert(table.routes.begin(), like("money-back", "agent.refund"));
  Annotations annotations = scored(0.80, 0.30);
  annotations.likes.push_back({"money-back", 0.79});
  EXPECT_EQ(decide(table, annotations).route, "refund");
  annotations.likes.push_back({"order", 0.1});
  EXPECT_EQ(decide(table, annotations).route, "refund");
}

TEST(SemanticRoute, EqualScoresAreAmbiguousUnlessNoMarginIsAsked) {
  RouteTable table = shop();
  EXPECT_EQ(decide(table, scored(0.9, 0.9)).tier, "reject");
  table.margin = 0;
  EXPECT_EQ(decide(table, scored(0.9, 0.9)).route, "refund") << "the first of the table";
}

TEST(SemanticRoute, OwnThresholdReplacesTheTables) {
  RouteTable table = shop();
  table.routes[0].threshold = 0.9;
  EXPECT_EQ(decide(table, scored(0.85, 0.2)).route, "rest");
  EXPECT_EQ(decide(table, scored(0.85, 0.2)).threshold, 0.9);
  table.routes[1].threshold = 0.4;
  EXPECT_EQ(decide(table, scored(0.3, 0.5)).route, "order");
}

TEST(SemanticRoute, ScoresAreToldBestFirst) {
  const Decision decision = decide(shop(), scored(0.2, 0.7));
  ASSERT_EQ(decision.scores.size(), 2u);
  EXPECT_EQ(decision.scores[0].label, "order");
  EXPECT_EQ(decision.scores[1].label, "refund");
}

TEST(SemanticRoute, StrangeScoresAreHarmless) {
  Annotations annotations = scored(std::numeric_limits<double>::quiet_NaN(), -3);
  annotations.likes.push_back({"nobody", 1.0});
  const Decision decision = decide(shop(), annotations);
  EXPECT_EQ(decision.route, "rest");
  EXPECT_EQ(decision.scores.size(), 2u);
}

TEST(Reject, WithoutOtherwiseNobodyTakesIt) {
  RouteTable table = shop();
  table.routes.pop_back();
  const Decision decision = decide(table, scored(0.1, 0.2));
  EXPECT_THAT(decision.route, IsEmpty());
  EXPECT_THAT(decision.to, IsEmpty());
  EXPECT_EQ(decision.tier, "reject");
  EXPECT_EQ(decide({}, {}).reason, "no example to compare with");
}

TEST(Rule, FirstInWrittenOrderWinsBeforeAnyLikeness) {
  Condition negative;
  negative.sentiment = "negative";
  negative.score_min = 0.9;
  Condition entity;
  entity.entity = "order_number";
  RouteTable table = shop();
  table.routes.push_back(rule("care", negative));
  table.routes.push_back(rule("lookup", entity));
  Annotations annotations = scored(0.99, 0.1);
  annotations.sentiment = "negative";
  annotations.sentiment_score = 0.97;
  annotations.entities = {{"order_number", "QX1", "QX1", 0, 3}};
  const Decision decision = decide(table, annotations);
  EXPECT_EQ(decision.route, "care");
  EXPECT_EQ(decision.tier, "rule");
  EXPECT_EQ(decision.reason, "sentiment=negative score 0.97 >= 0.90");
  annotations.sentiment_score = 0.89;
  EXPECT_EQ(decide(table, annotations).route, "lookup");
}

class RuleWithExamples : public testing::Test {
 protected:
  RuleWithExamples() {
    Condition entity;
    entity.entity = "order_number";
    Route status = rule("status", entity);
    status.like = {"where is QX1"};
    table_.routes.insert(table_.routes.begin(), status);
    seen_.entities = {{"order_number", "QX1", "QX1", 0, 3}};
    seen_.likes.push_back({"status", 0.8});
  }

  RouteTable table_ = shop();
  Annotations seen_ = scored(0.5, 0.5);
};

TEST_F(RuleWithExamples, HoldsForATextLikeThem) {
  const Decision decision = decide(table_, seen_);
  EXPECT_EQ(decision.route, "status");
  EXPECT_EQ(decision.tier, "rule");
  EXPECT_EQ(decision.reason, "entity order_number, like 0.80 >= 0.62");
  EXPECT_EQ(decision.scores.size(), 2u) << "of the semantic routes";
}

TEST_F(RuleWithExamples, DoesNotHoldForAnotherText) {
  seen_.likes.back().score = 0.61;
  EXPECT_EQ(decide(table_, seen_).route, "rest");
  seen_.likes.pop_back();
  EXPECT_EQ(decide(table_, seen_).route, "rest") << "nobody compared it";
}

TEST_F(RuleWithExamples, DoesNotHoldWithoutItsCondition) {
  seen_.entities.clear();
  const Decision decision = decide(table_, seen_);
  EXPECT_EQ(decision.route, "rest");
  EXPECT_TRUE(decision.out_of_scope) << "its examples alone make nothing known";
}

TEST_F(RuleWithExamples, LeavesATextThatIsMoreLikeASemanticRoute) {
  seen_.likes[0].score = 0.85;
  EXPECT_EQ(decide(table_, seen_).route, "refund");
}

TEST_F(RuleWithExamples, HasItsOwnThreshold) {
  table_.routes[0].threshold = 0.81;
  EXPECT_EQ(decide(table_, seen_).route, "rest");
}

TEST(Rule, IntentIsTheBestOneAndReachesItsScore) {
  Condition goodbye;
  goodbye.intent = "goodbye";
  RouteTable table{{rule("bye", goodbye), otherwise("rest")}, 0.62, 0.03};
  Annotations annotations;
  annotations.intents = {{"goodbye", 0.63}, {"thanks", 0.5}};
  EXPECT_EQ(decide(table, annotations).route, "bye");
  EXPECT_EQ(decide(table, annotations).reason, "intent=goodbye score 0.63 >= 0.62");
  annotations.intents = {{"goodbye", 0.61}};
  EXPECT_EQ(decide(table, annotations).route, "rest");
  annotations.intents = {{"goodbye", 0.8}, {"thanks", 0.9}};
  EXPECT_EQ(decide(table, annotations).route, "rest");
  table.routes[0].when->score_min = 0.75;
  annotations.intents = {{"goodbye", 0.7}};
  EXPECT_EQ(decide(table, annotations).route, "rest");
}

TEST(Rule, AllFieldsMustHold) {
  Condition condition;
  condition.language = Language::kChinese;
  condition.words = {"退款", "Refund"};
  const RouteTable table{{rule("both", condition), otherwise("rest")}, 0.62, 0.03};
  Annotations annotations;
  annotations.language = Language::kChinese;
  EXPECT_EQ(decide(table, annotations, "我要REFUND谢谢").reason, "language=zh, word Refund");
  EXPECT_EQ(decide(table, annotations, "我要换货").route, "rest");
  annotations.language = Language::kEnglish;
  EXPECT_EQ(decide(table, annotations, "refund").route, "rest");
  annotations.language.reset();
  EXPECT_EQ(decide(table, annotations, "refund").route, "rest");
}

TEST(Rule, OutOfScope) {
  Condition unknown;
  unknown.out_of_scope = true;
  unknown.facts = {{"repeated", ">= 2"}};
  RouteTable table = shop();
  table.routes.push_back(rule("person", unknown));
  Annotations annotations = scored(0.3, 0.2);
  EXPECT_EQ(decide(table, annotations).route, "rest");
  annotations.facts["repeated"] = "2";
  EXPECT_EQ(decide(table, annotations).route, "person");
  EXPECT_EQ(decide(table, annotations).reason, "out of scope, repeated 2 >= 2");
  annotations.intents = {{"greeting", 0.8}};
  EXPECT_EQ(decide(table, annotations).route, "rest");
  annotations.intents.clear();
  annotations.likes = {{"refund", 0.8}};
  EXPECT_EQ(decide(table, annotations).route, "refund");
}

TEST(Rule, EmptyConditionHoldsForNothing) {
  EXPECT_EQ(decide({{rule("all", {}), otherwise("rest")}, 0.62, 0.03}, {}).route, "rest");
}

TEST(Facts, Compare) {
  const auto holds = [](std::string_view value, std::string_view wanted) {
    return impl::satisfies(value, impl::parse_comparison(wanted));
  };
  EXPECT_TRUE(holds("2", ">= 2"));
  EXPECT_TRUE(holds("10", ">9"));
  EXPECT_TRUE(holds("2", "2.0"));
  EXPECT_TRUE(holds("1", "<= 1"));
  EXPECT_TRUE(holds("1", "< 1.5"));
  EXPECT_TRUE(holds("gold", "gold"));
  EXPECT_TRUE(holds("gold", "== gold"));
  EXPECT_TRUE(holds("silver", "!= gold"));
  EXPECT_TRUE(holds("", "!= gold"));
  EXPECT_FALSE(holds("1", ">= 2"));
  EXPECT_FALSE(holds("", ">= 0"));
  EXPECT_FALSE(holds("gold", "> 1"));
  EXPECT_FALSE(holds("2x", ">= 2"));
  EXPECT_FALSE(holds("nan", ">= 0"));
  EXPECT_FALSE(holds("Gold", "gold"));
}

TEST(Words, AsciiCaseAndWordEdges) {
  EXPECT_TRUE(impl::has_word("I want a REFUND!", "refund"));
  EXPECT_TRUE(impl::has_word("我要refund", "Refund"));
  EXPECT_TRUE(impl::has_word("请帮我退款吧", "退款"));
  EXPECT_TRUE(impl::has_word("say hi", "hi"));
  EXPECT_TRUE(impl::has_word("this hi", "hi"));
  EXPECT_TRUE(impl::has_word("c++ code", "c++"));
  EXPECT_FALSE(impl::has_word("this", "hi"));
  EXPECT_FALSE(impl::has_word("refunded", "refund"));
  EXPECT_FALSE(impl::has_word("text", ""));
  EXPECT_FALSE(impl::has_word("", "x"));
}

TEST(Explain, InBothLanguages) {
  const Decision won = decide(shop(), scored(0.83, 0.41));
  EXPECT_EQ(
      explain(won, Language::kEnglish),
      "It is like the examples of refund: 0.83, 0.62 is needed; the next is order with 0.41.");
  EXPECT_EQ(explain(won, Language::kChinese),
            "与 refund 的例句相近：0.83（需要 0.62）；其次是 order，0.41。");
  EXPECT_THAT(explain(decide(shop(), scored(0.3, 0.1)), Language::kEnglish),
              HasSubstr("refund is nearest with 0.30, 0.62 is needed. So it goes to rest"));
  EXPECT_THAT(explain(decide(shop(), scored(0.7, 0.69)), Language::kEnglish),
              HasSubstr("refund (0.70) and order (0.69) are too close"));
  EXPECT_THAT(explain(decide({}, {}), Language::kEnglish), HasSubstr("No route takes it"));
  Condition condition;
  condition.entity = "phone";
  Annotations annotations;
  annotations.entities = {{"phone", "1", "1", 0, 1}};
  EXPECT_EQ(
      explain(decide({{rule("call", condition)}, 0.62, 0.03}, annotations), Language::kEnglish),
      "The rule call holds: entity phone.");
  EXPECT_FALSE(explain({}, Language::kChinese).empty());
}

// What a flow decides beside the table has scores of routes too; they are not its reason.
std::string explained(const char* tier, const char* route, const char* to, const char* reason,
                      Language language = Language::kEnglish) {
  Decision decision = decide(shop(), scored(0.3, 0.1));
  decision.tier = tier;
  decision.route = route;
  decision.to = to;
  decision.reason = reason;
  return explain(decision, language);
}

TEST(Explain, TheTiersOfAFlow) {
  EXPECT_EQ(explained("knowledge", "knowledge", "knowledge", "entry ship-fee score 1.00 >= 0.86"),
            "A knowledge entry answers it: entry ship-fee score 1.00 >= 0.86.");
  EXPECT_EQ(explained("knowledge", "related", "agent.faq", "entry ship-fee score 0.70 >= 0.60"),
            "A knowledge entry is related: entry ship-fee score 0.70 >= 0.60. So it goes to "
            "agent.faq.");
  EXPECT_EQ(explained("follow-up", "order", "agent.order", "the order_id that order asked for"),
            "It gives what agent.order had asked for. So it goes to agent.order.");
  EXPECT_EQ(explained("game", "play", "agent.idiom", "the game idiom is running"),
            "A game is running: agent.idiom goes on with it.");
  EXPECT_EQ(explained("person", "person", "human.desk", "the conversation is held by human.desk"),
            "A person holds the conversation: the message goes to human.desk.");
  EXPECT_EQ(explained("end", "end", "", "intent=bye score 0.97"),
            "The message takes leave: intent=bye score 0.97. So the conversation ends.");
  EXPECT_EQ(explained("new", "there", "agent.there", "it had to be"),
            "It goes to there: it had to be.");
}

TEST(Explain, TheTiersOfAFlowInChinese) {
  constexpr auto kZh = Language::kChinese;
  EXPECT_EQ(explained("knowledge", "knowledge", "knowledge", "entry a score 1.00 >= 0.86", kZh),
            "由知识条目回答：entry a score 1.00 >= 0.86。");
  EXPECT_EQ(explained("knowledge", "related", "agent.faq", "entry a score 0.70 >= 0.60", kZh),
            "有相关的知识条目：entry a score 0.70 >= 0.60。因此交给 agent.faq。");
  EXPECT_EQ(explained("follow-up", "order", "agent.order", "", kZh),
            "这是对 agent.order 所提问题的回答，因此交给 agent.order。");
  EXPECT_EQ(explained("game", "play", "agent.idiom", "", kZh),
            "游戏还在进行：由 agent.idiom 继续。");
  EXPECT_EQ(explained("person", "person", "human.desk", "", kZh),
            "会话由人工处理：消息转给 human.desk。");
  EXPECT_EQ(explained("end", "end", "", "intent=bye score 0.97", kZh),
            "这是告别：intent=bye score 0.97。会话到此结束。");
}

TEST(DecisionJson, ComesBackAsItWent) {
  const Decision decision = decide(shop(), scored(0.83, 0.41));
  const auto back = decision_from_json(to_json(decision));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(decision));
  EXPECT_EQ(back->scores.size(), 2u);
  EXPECT_EQ(back->reason, decision.reason);
}

TEST(DecisionJson, RefusesOtherShapes) {
  for (const char* text :
       {"[]", "3", R"({"route":1})", R"({"scores":{}})", R"({"scores":[1]})",
        R"({"scores":[{"label":"a"}]})", R"({"margin":"x"})", R"({"out_of_scope":1})"}) {
    EXPECT_FALSE(decision_from_json(*parse_json(text))) << text;
  }
  EXPECT_TRUE(decision_from_json(*parse_json("{}")));
}

std::string faults_of(const RouteTable& table) {
  const Status status = validate(table);
  return status ? "" : status.error().message;
}

TEST(Validate, AGoodTable) {
  Condition condition;
  condition.facts = {{"repeated", ">= 2"}, {"tier", "gold"}};
  RouteTable table = shop();
  table.routes.push_back(rule("person", condition));
  table.routes.back().to = "human.desk";
  EXPECT_EQ(faults_of(table), "");
}

TEST(Validate, NamesEachFault) {
  RouteTable table = shop();
  table.threshold = 1.5;
  table.routes.push_back(like("refund"));
  table.routes.push_back(otherwise("second"));
  table.routes.push_back({});
  table.routes.push_back(rule("empty", {}));
  table.routes.push_back(like("away", "bad subject.>"));
  table.routes.push_back(like("nowhere", "agent."));
  Condition facts;
  facts.facts = {{"repeated", ">= two"}};
  facts.score_min = 2;
  table.routes.push_back(rule("facts", facts));
  Route both = like("both");
  both.when = Condition{};
  both.like.emplace_back();
  table.routes.push_back(both);
  Route all = like("all");
  all.otherwise = true;
  table.routes.push_back(all);
  Route none = like("none");
  none.like.clear();
  table.routes.push_back(none);
  const std::string faults = faults_of(table);
  for (const char* part :
       {"thresholds.semantic", "route refund: another route has the same name",
        "route second: `otherwise: true` stands already at rest",
        "route without a name: set `name`", "route without a name: no target",
        "route empty: `when` tests nothing", "route away: `to` is no agent.NAME",
        "route nowhere: `to: agent.` names no agent", "fact repeated: >= needs a number",
        "route facts: `score` is between 0 and 1", "route facts: `score` needs",
        "route both: `when` tests nothing", "route both: an empty example",
        "route all: set `when`, `like` or both of them, or `otherwise: true` alone",
        "route none: set `when`"}) {
    EXPECT_THAT(faults, HasSubstr(part));
  }
}

}  // namespace
}  // namespace qiao
