// SPDX-License-Identifier: Apache-2.0
#include "flow/config/flow_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temp_folder.h"

namespace qiao {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempFolder;

// The message of the Error of loading `yaml` as a flow; "" when it loads.
std::string fault_of(const std::string& yaml, const TempFolder& folder = TempFolder()) {
  folder.write("flow.yaml", yaml);
  const auto config = load_flow(folder.path());
  return config ? "" : config.error().message;
}

constexpr const char* kSmall = R"(flow: small
routes: [ { name: else, otherwise: true, to: agent.hello } ]
agents: { hello: { kind: template, template: { zh: 你好, en: Hello } } }
)";

TEST(FlowConfig, SmallFlowHasDefaults) {
  TempFolder folder;
  folder.write("flow.yaml", kSmall);
  const auto config = load_flow(folder.path());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->name, "small");
  EXPECT_EQ(config->input, "small.in");
  EXPECT_EQ(config->output, "small.out");
  EXPECT_EQ(config->replies, "small.replies");
  EXPECT_EQ(config->budget.hops, 8);
  ASSERT_NE(config->agent("hello"), nullptr);
  EXPECT_EQ(config->agent("hello")->reply.zh, "你好");
}

TEST(FlowConfig, EveryKeyOfTheReferenceIsRead) {
  TempFolder folder;
  folder.write("prompts/p.md", "You are kind.\n");
  folder.write("knowledge/a.yaml",
               "- { id: a, topic: t, questions: { zh: [ 问 ] }, answer: { zh: 答 } }\n");
  folder.write("flow.yaml", R"(flow: whole
title: { zh: 标题, en: Title }
input: a.in
output: a.out
greeting: hi
turn: { settle: 800ms, max_wait: 2s, complete: { score: 0.7 }, cut_off: { settle: 2s } }
end: { intent: bye, idle: 30m, turns: 40, text: { zh: 再见, en: Bye } }
understand:
  intents: { bye: [ 再见, goodbye ] }
  sentiment: true
  entities: [ order_number ]
routes:
  - { name: care, when: { sentiment: negative, score: 0.9 }, to: agent.help }
  - { name: refund, like: [ refund ], to: agent.help, threshold: 0.7 }
  - { name: person, when: { out_of_scope: true, facts: { repeated: ">= 2" } }, to: human.desk, hold: false }
thresholds: { semantic: 0.5, margin: 0.1 }
knowledge: { files: [ knowledge/*.yaml ], certain: 0.8, clear: { ahead: 0.1 }, related: 0.4, top: 5 }
tools:
  look:
    describe: look
    http: { method: POST, url: "http://127.0.0.1:{port}/{order_number}", headers: { x-a: b } }
    start: [ python3, look.py ]
    needs: [ order_number ]
    timeout: 2s
agents:
  help: { prompt: prompts/p.md, tools: [ look ], knowledge: true, history: 3, tokens: 50,
          context_tokens: 900, temperature: 0, filter: [ language, { format: json } ], retries: 2, stream: false,
          template: "It is {look.state}.", label: true }
label: x
fallback: { to: human.desk, text: wait }
budget: { hops: 3, tokens: 900, wall: 5s }
)");
  const auto config = load_flow(folder.path());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->turn.settle_ms, 800);
  EXPECT_EQ(config->turn.busy, Busy::kMerge);  // settle gathers
  EXPECT_EQ(config->turn.settle_for(0.7), 200);
  EXPECT_EQ(config->turn.settle_for(0.5), 800);
  EXPECT_EQ(config->turn.settle_for(0.3), 2'000);
  EXPECT_EQ(config->turn.settle_for(std::nullopt), 800);
  EXPECT_EQ(config->end.idle_ms, 1'800'000);
  EXPECT_EQ(config->routes.routes.size(), 3U);
  EXPECT_EQ(config->routes.routes[1].threshold, 0.7);
  EXPECT_FALSE(config->holds.at("person"));
  EXPECT_EQ(config->knowledge.entries.size(), 1U);
  ASSERT_TRUE(config->knowledge.clear);
  EXPECT_EQ(config->knowledge.clear->score, ClearConfig().score);
  EXPECT_EQ(config->knowledge.clear->ahead, 0.1);
  EXPECT_EQ(config->tool("look")->method, "POST");
  const AgentConfig& help = *config->agent("help");
  EXPECT_EQ(help.prompt.zh, "You are kind.");
  EXPECT_EQ(help.filters.at(1).argument, "json");
  EXPECT_FALSE(help.stream);
  // A template that shows a tool's field cannot do without the tool.
  EXPECT_EQ(help.tool_choice, ToolChoice::kRequired);
  EXPECT_EQ(config->budget, (Budget{3, 900, 5'000}));
}

TEST(FlowConfig, UnknownKeyIsNamedWithLineAndNearestKey) {
  const std::string fault = fault_of(std::string(kSmall) + "thresold: { semantic: 1 }\n");
  EXPECT_THAT(fault, HasSubstr("flow.yaml:4"));
  EXPECT_THAT(fault, HasSubstr("thresholds"));
}

TEST(FlowConfig, AllFaultsAreToldAtOnce) {
  const std::string fault = fault_of(R"(flow: bad
turn: { settle: 11s }
routes:
  - { name: a, like: [ x ], to: agent.helo }
  - { name: a, otherwise: true, to: bad.in }
thresholds: { semantic: 2 }
agents:
  hello: { kind: templat, template: hi }
  game: { kind: game, game: chess, data: ../x.txt }
budget: { hops: 0 }
)");
  for (const char* part :
       {":2:", "settle must be between", "did you mean \"hello\"", "two routes are called a",
        "belongs to this flow", "semantic must be between 0 and 1", "did you mean \"template\"",
        "unknown game \"chess\"", "inside the flow's folder", "hops must be between 1 and 1000"}) {
    EXPECT_THAT(fault, HasSubstr(part));
  }
}

TEST(FlowConfig, NamesThatAreNotThereAreFaults) {
  EXPECT_THAT(
      fault_of(R"(flow: f
end: { intent: bye }
routes:
  - { name: a, when: { intent: hi }, to: human.desk }
  - { name: b, when: { sentiment: negative }, to: human.desk }
tools: { t: { http: { url: "http://x/{port}/{phone}" } } }
agents: { m: { kind: model, tools: [ u ], knowledge: true, template: "{t.x} {nothing}" } }
)"),
      AllOf(HasSubstr("no intent is called \"bye\""), HasSubstr("no intent is called \"hi\""),
            HasSubstr("needs `sentiment: true`"), HasSubstr("{port} needs a helper program"),
            HasSubstr("{phone} is not in the tool's `needs`"), HasSubstr("has no prompt"),
            HasSubstr("no tool is called \"u\""), HasSubstr("{nothing} is none of"),
            HasSubstr("wants knowledge and the flow has none")));
}

TEST(FlowConfig, RouteThatCannotHoldIsAFault) {
  EXPECT_THAT(fault_of(R"(flow: f
routes: [ { name: a, when: {}, to: human.desk } ]
)"),
              HasSubstr("a"));
}

TEST(FlowConfig, KnowledgeFaultsNameTheirFile) {
  TempFolder folder;
  folder.write("knowledge/a.yaml",
               "- { id: a, questions: { zh: [ 问 ] } }\n- { id: b, answr: x }\n");
  folder.write("knowledge/b.yaml", "- { id: c, questions: { en: [ q ] }, answer: x }\n");
  folder.write("knowledge/c.yaml", "- { id: c, questions: { en: [ q ] }, answer: x }\n");
  const std::string fault =
      fault_of(std::string(kSmall) + "knowledge: { files: [ knowledge/*.yaml ] }\n", folder);
  EXPECT_THAT(fault, AllOf(HasSubstr("a.yaml:1"), HasSubstr("has no answer"), HasSubstr("a.yaml:2"),
                           HasSubstr("did you mean 'answer'"), HasSubstr("the id c is in")));
}

TEST(FlowConfig, FilesOutsideTheFolderAreRefused) {
  for (const char* path : {"../secret.md", "/etc/passwd", ""}) {
    const std::string yaml = std::string("flow: f\nagents: { m: { prompt: \"") + path + "\" } }\n";
    EXPECT_THAT(fault_of(yaml), HasSubstr("must be a file inside the flow's folder")) << path;
  }
}

TEST(FlowConfig, MissingFolderAndListAtTheTop) {
  EXPECT_FALSE(load_flow("/nowhere/at/all"));
  EXPECT_THAT(fault_of("- a\n"), HasSubstr("a flow is a map"));
  EXPECT_THAT(fault_of("flow: f\n"), HasSubstr("it could answer nothing"));
}

TEST(FlowConfig, ShownAsJson) {
  TempFolder folder;
  folder.write("flow.yaml", kSmall);
  const Json json = to_json(load_flow(folder.path()).value());
  EXPECT_EQ(json["name"], "small");
  EXPECT_EQ(json["routes"][0]["tier"], "otherwise");
  EXPECT_EQ(json["agents"][0]["kind"], "template");
}

// The shipped examples are flows without a fault.
TEST(FlowConfig, ExamplesLoad) {
  for (const char* name : {"customer-service", "companion", "writer"}) {
    const auto config = load_flow(std::string(QIAO_EXAMPLES) + "/" + name);
    ASSERT_TRUE(config) << name << ": " << config.error().message;
    EXPECT_EQ(config->name, name);
  }
}

TEST(FlowConfig, TheShopKnowsFortyThingsInBothLanguages) {
  const auto config = load_flow(std::string(QIAO_EXAMPLES) + "/customer-service");
  ASSERT_TRUE(config) << config.error().message;
  std::size_t both = 0;
  for (const KnowledgeEntry& entry : config->knowledge.entries) {
    const bool answered = !entry.answer.zh.empty() && !entry.answer.en.empty();
    both += answered && !entry.questions_zh.empty() && !entry.questions_en.empty() ? 1 : 0;
  }
  EXPECT_GE(both, 40U);
}

}  // namespace
}  // namespace qiao
