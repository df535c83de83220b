// SPDX-License-Identifier: Apache-2.0
#include "flow/replay/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing/temp_folder.h"

namespace qiao {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TempFolder;

using Verdict = ScriptOutcome::Verdict;

constexpr const char* kFlow = R"(flow: f
routes:
  - { name: person, like: [ talk to a person ], to: human.desk }
  - { name: all, otherwise: true, to: agent.chat }
agents: { chat: { prompt: p.md, filter: [ language ], template: { zh: 你好, en: Hello } } }
)";

class ScriptTest : public ::testing::Test {
 protected:
  ScriptTest() {
    folder_.write("flow.yaml", kFlow);
    folder_.write("p.md", "Be kind.");
  }
  Result<std::vector<ScriptOutcome>> run(const std::string& script, const ModelSet& models = {},
                                         ScriptOptions options = {}) {
    folder_.write("tests/t.yaml", script);
    return run_scripts(folder_.path(), models, options, {});
  }
  TempFolder folder_;
};

TEST_F(ScriptTest, PassesWhenAllHolds) {
  const auto outcomes = run(R"(- name: a
  script: [ { when: umbrella, say: "We sell umbrellas." } ]
  turns:
    - say: do you have an umbrella
      expect: { route: all, words: [ umbrellas ], not_words: [ sorry ], language: en, agent: chat,
                filter: passed, ended: false, to: agent.chat }
    - say: talk to a person
      expect: { route: person, to: human.desk }
)");
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  ASSERT_THAT(*outcomes, SizeIs(1));
  EXPECT_EQ(outcomes->at(0).name, "a");
  EXPECT_THAT(outcomes->at(0).details, IsEmpty());
  EXPECT_EQ(outcomes->at(0).verdict, Verdict::kPassed);
}

TEST_F(ScriptTest, EachFaultIsTold) {
  const auto outcomes = run(R"(name: one script alone
script: [ { when: "", say: "We sell umbrellas." } ]
turns:
  - say: hello there
    expect: { route: person, tool: look, words: [ boats ], not_words: [ UMBRELLAS ], language: zh,
              agent: help, filter: none, ended: true, to: human.desk }
)");
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  const ScriptOutcome& outcome = outcomes->at(0);
  EXPECT_EQ(outcome.verdict, Verdict::kFailed);
  ASSERT_THAT(outcome.details, SizeIs(9));
  for (const std::string& detail : outcome.details) {
    EXPECT_THAT(detail, HasSubstr("t.yaml:4"));
    EXPECT_THAT(detail, HasSubstr("said: hello there; reply: We sell umbrellas."));
  }
  EXPECT_THAT(outcome.details[0], HasSubstr("route is \"all\", expected \"person\""));
}

TEST_F(ScriptTest, EachScriptIsAConversationOfItsOwn) {
  std::string yaml;
  for (int i = 0; i < 3; ++i) {
    yaml += "- { name: a, turns: [ { say: talk to a person, expect: { route: person } } ] }\n";
  }
  int told = 0;
  folder_.write("tests/t.yaml", yaml);
  const auto outcomes = run_scripts(folder_.path(), {}, {}, [&](const ScriptOutcome& outcome) {
    EXPECT_EQ(outcome.verdict, Verdict::kPassed);
    ++told;
  });
  ASSERT_TRUE(outcomes);
  EXPECT_EQ(told, 3);
}

TEST_F(ScriptTest, WhatIsNeededAndNotThereSkips) {
  const std::string yaml = R"(
- { name: encoder, needs: [ encoder-zh ], turns: [ { say: hi } ] }
- { name: tools, needs: [ tools ], turns: [ { say: hi } ] }
- { name: lines, needs: [ model ], script: [ { say: Yes. } ], turns: [ { say: hi } ] }
- { name: no lines, needs: [ model ], turns: [ { say: hi } ] }
)";
  ScriptOptions options;
  options.start_tools = false;
  const auto scripted = run(yaml, {}, options);
  ASSERT_TRUE(scripted);
  EXPECT_EQ(scripted->at(0).verdict, Verdict::kSkipped);
  EXPECT_THAT(scripted->at(0).details.at(0), HasSubstr("encoder-zh"));
  EXPECT_EQ(scripted->at(1).verdict, Verdict::kSkipped);
  EXPECT_EQ(scripted->at(2).verdict, Verdict::kPassed);
  EXPECT_EQ(scripted->at(3).verdict, Verdict::kSkipped);
  options.scripted = false;
  const auto real = run(yaml, {}, options);
  ASSERT_TRUE(real);
  EXPECT_EQ(real->at(2).verdict, Verdict::kSkipped);
}

TEST_F(ScriptTest, BadScriptsAreFaultsWithFileAndLine) {
  const auto outcomes = run(R"(- name: a
  turns:
    - say: hi
      expect: { rout: all }
- name: b
  needs: [ moddel ]
  turns: [ { say: hi, expect: { language: fr } }, { expect: {} } ]
- { turns: [] }
- just words
)");
  ASSERT_FALSE(outcomes);
  const std::string& fault = outcomes.error().message;
  for (const char* part : {"t.yaml:4", "route", "unknown need \"moddel\"", "language is zh or en",
                           "t.yaml:7", "t.yaml:8", "t.yaml:9", "a script is a map"}) {
    EXPECT_THAT(fault, HasSubstr(part));
  }
}

TEST_F(ScriptTest, AFlowWithoutScriptsHasNoOutcomes) {
  const auto outcomes = run_scripts(folder_.path(), {}, {}, {});
  ASSERT_TRUE(outcomes);
  EXPECT_THAT(*outcomes, IsEmpty());
}

// The shipped examples, with rules, templates, retrieval by words and the scripts' own answers.
class ExampleTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ExampleTest, ScriptsPass) {
  const auto outcomes = run_scripts(std::string(QIAO_EXAMPLES) + "/" + GetParam(), {}, {}, {});
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  EXPECT_THAT(*outcomes, ::testing::Not(IsEmpty()));
  for (const ScriptOutcome& outcome : *outcomes) {
    EXPECT_NE(outcome.verdict, Verdict::kFailed)
        << outcome.name << ": " << ::testing::PrintToString(outcome.details);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ExampleTest,
                         ::testing::Values("customer-service", "companion", "writer"),
                         [](const auto& each) {
                           std::string name = each.param;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

}  // namespace
}  // namespace qiao
