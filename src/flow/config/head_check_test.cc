// SPDX-License-Identifier: Apache-2.0
#include "flow/config/head_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "flow/testing/flow_rig.h"
#include "model/testing/tiny_bundle.h"
#include "understand/testing/fake_head_encoder.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;
using testing::FlowRig;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::TinyBundle;
using testing::write_tiny_bundle;

constexpr const char* kDesk = R"(flow: f
understand:
  intents: { bye: [ goodbye ] }
  heads:
    - { name: intent, bundle: intents }
    - { name: topic, bundle: topics, labels: { a: sports } }
routes:
  - { name: refunds, when: { intent: refund, score: ">= 0.8" }, to: agent.refunds }
  - { name: games, when: { topic: sports }, to: agent.games }
  - { name: leave, when: { intent: bye }, to: agent.bye }
  - { name: rest, otherwise: true, to: agent.rest }
agents:
  refunds: { kind: template, template: { zh: 退款, en: Refunds. } }
  games: { kind: template, template: { zh: 比赛, en: Games. } }
  bye: { kind: template, template: { zh: 再见, en: Bye. } }
  rest: { kind: template, template: { zh: 其他, en: Rest. } }
)";

const TinyBundle kIntents{{"order", "refund"}, {{"money", "refund"}, {"parcel", "order"}}};
const TinyBundle kTopics{{"a", "b"}, {{"goal", "a"}, {"stock", "b"}}};

TextHead head_of(const TinyBundle& bundle) {
  const TempFolder folder;
  write_tiny_bundle(folder / "b", bundle);
  return TextHead::read(folder / "b", folder / "b/model.safetensors").value();
}

FlowConfig desk() {
  const TempFolder folder;
  folder.write("flow.yaml", kDesk);
  auto config = load_flow(folder.path());
  EXPECT_TRUE(config) << config.error().message;
  return config.value_or(FlowConfig());
}

TEST(HeadCheck, ReadsHeadsAndWhatRoutesAskOfThem) {
  const FlowConfig config = desk();
  ASSERT_EQ(config.heads.size(), 2U);
  EXPECT_EQ(config.heads[1].labels.at("a"), "sports");
  EXPECT_EQ(config.routes.routes[0].when->score_min, 0.8);
  EXPECT_EQ(config.routes.routes[1].when->heads.at("topic"), "sports");
}

TEST(HeadCheck, ABundleThatFits) {
  const FlowConfig config = desk();
  EXPECT_TRUE(check_head(config, config.heads[0], head_of(kIntents)));
  EXPECT_TRUE(check_head(config, config.heads[1], head_of(kTopics)));
}

TEST(HeadCheck, NamesTheRouteWhoseLabelIsMissing) {
  const FlowConfig config = desk();
  const Status other = check_head(config, config.heads[0], head_of(kTopics));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kPrecondition);
  EXPECT_THAT(other.error().message, HasSubstr("route refunds needs \"refund\""));
  EXPECT_THAT(other.error().message, HasSubstr("a, b"));
  const TinyBundle tags{{"O", "B-LOC"}, {{"paris", "B-LOC"}}, "tag"};
  EXPECT_THAT(check_head(config, config.heads[0], head_of(tags)).error().message,
              HasSubstr("classifies"));
}

TEST(HeadCheck, ASentimentHasItsThreeNames) {
  FlowConfig config = desk();
  config.heads = {{"sentiment", "intents", {{"refund", "negative"}}}};
  EXPECT_THAT(check_head(config, config.heads[0], head_of(kIntents)).error().message,
              HasSubstr("\"order\" is no sentiment"));
  config.heads[0].labels["order"] = "neutral";
  EXPECT_TRUE(check_head(config, config.heads[0], head_of(kIntents)));
}

const TinyBundle kBoth{
    {},
    {{"money", "refund angry"}, {"parcel", "order calm"}, {"goal", "a calm"}},
    "heads",
    8,
    Json::object(),
    {{"intent", {"order", "refund"}}, {"mood", {"angry", "calm"}}, {"topic", {"a", "b"}}}};

TEST(HeadCheck, ABundleOfSeveralHasTheHeadThatIsMeant) {
  FlowConfig config = desk();
  const TextHead both = head_of(kBoth);
  EXPECT_TRUE(check_head(config, config.heads[0], both));
  EXPECT_TRUE(check_head(config, config.heads[1], both));
  config.heads[1].head = "mood";
  EXPECT_THAT(check_head(config, config.heads[1], both).error().message,
              HasSubstr("route games needs \"sports\"; the bundle topics, head mood, has: angry"));
  config.heads[1].head = "urgency";
  const Status lacks = check_head(config, config.heads[1], both);
  EXPECT_EQ(lacks.error().code, Code::kPrecondition);
  EXPECT_THAT(lacks.error().message,
              HasSubstr("head topic needs the head \"urgency\"; the bundle topics has the heads: "
                        "intent, mood, topic"));
  EXPECT_THAT(check_head(config, config.heads[1], head_of(kTopics)).error().message,
              HasSubstr("has one head only"));
}

TEST(HeadCheck, FaultsOfTheFlowFile) {
  for (const auto& [heads, fault] :
       {std::pair{"{ name: intent }", "bundle: NAME"},
        {"{ name: words, bundle: b }", "`when` has that key"},
        {"{ name: a, bundle: b }, { name: a, bundle: c }", "two heads are called a"}}) {
    const TempFolder folder;
    folder.write("flow.yaml", std::string("flow: f\nunderstand: { heads: [ ") + heads +
                                  " ] }\nroutes: [ { name: r, otherwise: true, to: agent.a } ]\n"
                                  "agents: { a: { kind: template, template: hi } }\n");
    const auto config = load_flow(folder.path());
    ASSERT_FALSE(config) << heads;
    EXPECT_THAT(config.error().message, HasSubstr(fault));
  }
}

// A whole flow by trained heads, and the record names the version that judged.
class HeadsInAFlow : public ::testing::Test {
 protected:
  HeadsInAFlow() {
    add("intents", kIntents);
    add("topics", kTopics);
    rig_.bundles = &bundles_;
  }
  void add(const std::string& name, const TinyBundle& bundle) {
    bundles_[name] = std::make_shared<BundleSlot>(
        name, std::make_shared<const Classifier>(
                  name, "v1", head_of(bundle), std::make_shared<testing::FakeHeadEncoder>(false)));
  }
  BundleSet bundles_;
  FlowRig rig_{kDesk};
};

TEST_F(HeadsInAFlow, RoutesByWhatTheyWereTrainedFor) {
  rig_.start();
  rig_.say("money");
  rig_.say("goal");
  rig_.say("goodbye");
  EXPECT_THAT(rig_.replies(), ElementsAre("Refunds.", "Games.", "Bye."));
  EXPECT_THAT(json_string(rig_.events("decision").at(0), "reason").value_or(""),
              HasSubstr("intent=refund score 0.9"));
  EXPECT_EQ(rig_.events("understood").at(0)["bundles"]["intent"], "intents@v1");
}

constexpr const char* kMoods = R"(flow: f
understand:
  heads:
    - { name: intent, bundle: both }
    - { name: temper, bundle: both, head: mood }
routes:
  - { name: care, when: { temper: angry, score: ">= 0.8" }, to: agent.care }
  - { name: orders, when: { intent: order, score: ">= 0.8" }, to: agent.orders }
  - { name: rest, otherwise: true, to: agent.rest }
agents:
  care: { kind: template, template: { zh: 抱歉, en: Sorry. } }
  orders: { kind: template, template: { zh: 订单, en: Orders. } }
  rest: { kind: template, template: { zh: 其他, en: Rest. } }
)";

// One bundle of several heads behind two of the flow's: one pass, both in the record.
TEST(HeadsOfOneBundle, RouteByEachAndShareAPass) {
  const auto encoder = std::make_shared<testing::FakeHeadEncoder>(false);
  const BundleSet bundles{
      {"both", std::make_shared<BundleSlot>("both", std::make_shared<const Classifier>(
                                                        "both", "v1", head_of(kBoth), encoder))}};
  FlowRig rig{kMoods};
  rig.bundles = &bundles;
  rig.start();
  rig.say("money");
  rig.say("parcel");
  rig.say("goal");
  EXPECT_THAT(rig.replies(), ElementsAre("Sorry.", "Orders.", "Rest."));
  EXPECT_EQ(encoder->passes(), 3);
  const Json understood = rig.events("understood").at(0);
  EXPECT_EQ(understood["bundles"]["temper"], "both@v1");
  EXPECT_EQ(understood["intents"][0]["label"], "refund");
  EXPECT_EQ(understood["heads"]["temper"][0]["label"], "angry");
  EXPECT_THAT(json_string(rig.events("decision").at(0), "reason").value_or(""),
              HasSubstr("temper=angry score 0.9"));
}

TEST_F(HeadsInAFlow, AMissingBundleIsNamedAtTheStart) {
  FlowConfig config = desk();
  testing::ManualExecutor loop{rig_.clock};
  Metrics metrics;
  Streams streams{rig_.clock};
  MemoryLog log;
  auto broker = Broker::open(log, loop, rig_.clock, rig_.ids, metrics).value();
  FlowServices services{*broker, streams, nullptr, rig_.models, loop, rig_.clock, metrics};
  const auto made = FlowEngine::make(std::move(config), services);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kNotFound);
  EXPECT_THAT(made.error().message, HasSubstr("qiao model promote intents"));
}

}  // namespace
}  // namespace qiao
