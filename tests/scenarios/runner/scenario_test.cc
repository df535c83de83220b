// SPDX-License-Identifier: Apache-2.0
// The runner itself: what is wrong in a scenario is told with file and line.
#include "scenarios/runner/scenario.h"

#include <gtest/gtest.h>

#include "scenarios/runner/words.h"

namespace qiao::scenario {
namespace {

using testing::BrokerHarness;

const std::string kHeader = "# name: a/b\n# description: what\n# group: [a, b]\n";

// The first fault of the commands, without the file's name.
std::string fault_of(const std::string& commands) {
  const auto scenario = parse_scenario("x.test", kHeader + commands);
  const Status run =
      scenario ? run_scenario(*scenario, BrokerHarness::Kind::kMemory) : Status(scenario.error());
  if (run) return "";
  EXPECT_TRUE(run.error().message.starts_with("x.test:")) << run.error().message;
  return run.error().message.substr(7);
}

TEST(Scenario, TakesItsHeader) {
  const auto scenario = parse_scenario("x.test", kHeader + "\n  advance 1s\n# a note\nadvance 2s");
  ASSERT_TRUE(scenario);
  EXPECT_EQ(scenario->name, "a/b");
  EXPECT_EQ(scenario->groups, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(scenario->logs.size(), 2U);
  ASSERT_EQ(scenario->lines.size(), 2U);
  EXPECT_EQ(scenario->lines[1].number, 7);
  EXPECT_EQ(parse_scenario("x.test", kHeader + "# log: segments\nadvance 1s")->logs.size(), 1U);
}

TEST(Scenario, WithoutItsHeaderOrCommandsIsAnError) {
  EXPECT_FALSE(parse_scenario("x.test", "advance 1s"));
  EXPECT_FALSE(parse_scenario("x.test", "# name: a\n# group: [a]\nadvance 1s"));
  EXPECT_FALSE(parse_scenario("x.test", kHeader));
  EXPECT_FALSE(parse_scenario("x.test", kHeader + "# log: tape\nadvance 1s"));
}

TEST(Scenario, AWrongLineIsToldWithItsNumber) {
  EXPECT_EQ(fault_of("advance 1s\ndance"), "5: there is no command 'dance'");
  EXPECT_EQ(fault_of("advance soon"), "4: 'soon' is no time such as 500ms, 5s, 2m, 1h");
  EXPECT_EQ(fault_of("publish in"), "4: here stands a text in quotes");
  EXPECT_EQ(fault_of("publish in \"x"), "4: a text has no closing quote");
  EXPECT_EQ(fault_of("publish in \"x\" loudly"), "4: 'loudly' has no meaning here");
  EXPECT_EQ(fault_of("expect rain"), "4: there is nothing called 'rain' to expect");
  EXPECT_EQ(fault_of("group g of in"), "4: here stands 'pattern'");
  EXPECT_EQ(fault_of("ack g \"x\""), "4: group g delivered \"x\" 0 times");
  EXPECT_EQ(fault_of("crash\npublish in \"x\""), "5: the broker is not open");
  EXPECT_EQ(fault_of("reopen"), "4: the broker is open");
}

TEST(Scenario, AnUnmetExpectationIsToldWithWhatWasFound) {
  EXPECT_EQ(fault_of("publish in \"x\"\nexpect topic in \"y\""), "5: expected \"y\", found \"x\"");
  EXPECT_EQ(fault_of("expect topic in \"y\""), "4: expected \"y\", found nothing");
  EXPECT_EQ(fault_of("publish in \"x\"\nexpect duplicate"), "5: the last publish was no duplicate");
  EXPECT_EQ(fault_of("advance 1s\nexpect error conflict"), "5: the command before did not fail");
  EXPECT_EQ(fault_of("group g pattern in\nexpect delivery g \"x\""),
            "5: group g delivered nothing");
  EXPECT_NE(fault_of("publish in.* \"x\"\nexpect error conflict").find("invalid_argument"),
            std::string::npos);
}

TEST(Scenario, AnErrorNobodyExpectsFails) {
  EXPECT_TRUE(
      fault_of("publish in.* \"x\"\nadvance 1s").starts_with("5: the command before failed"));
  EXPECT_TRUE(fault_of("publish in.* \"x\"").starts_with("4: failed with invalid_argument"));
  EXPECT_EQ(fault_of("publish in.* \"x\"\nexpect error invalid_argument"), "");
}

TEST(Words, KnowsEscapesAndComments) {
  auto words = Words::split("say \"a \\\"b\\\" \\n\" 12 1500ms # to all");
  ASSERT_TRUE(words);
  EXPECT_TRUE(words->take_if("say"));
  EXPECT_EQ(words->text(), "a \"b\" \n");
  EXPECT_EQ(words->number("n"), 12U);
  EXPECT_EQ(words->duration_ms(), 1'500);
  EXPECT_TRUE(words->finish());
}

}  // namespace
}  // namespace qiao::scenario
