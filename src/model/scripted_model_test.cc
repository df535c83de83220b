// SPDX-License-Identifier: Apache-2.0
#include "model/scripted_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "base/testing/temp_folder.h"

namespace qiao {
namespace {

GenerateRequest ask(std::string text) {
  GenerateRequest request;
  request.turns = {{Role::kSystem, "be brief", {}, {}}, {Role::kUser, std::move(text), {}, {}}};
  return request;
}

using Script = std::vector<ScriptLine>;

float dot(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

TEST(Role, NamesGoThereAndBack) {
  for (const Role role : {Role::kSystem, Role::kUser, Role::kAssistant, Role::kTool}) {
    EXPECT_EQ(parse_role(name_of(role)), role);
  }
  EXPECT_EQ(parse_role("developer"), Role::kSystem);
  EXPECT_EQ(parse_role("boss").error().code, Code::kInvalidArgument);
}

TEST(ScriptedModel, AToolsArgumentsAreAMapOrJsonAsText) {
  const testing::TempFolder folder;
  const auto script = load_script(
      folder.write("script.yaml",
                   "script:\n"
                   "  - { say: '', tool_calls: [ { name: a, arguments: { city: Paris } },\n"
                   "      { name: b, arguments: '{\"n\":1}' }, { name: c } ] }\n"));
  ASSERT_TRUE(script) << script.error().message;
  const auto& calls = script->front().tool_calls;
  EXPECT_EQ(calls.at(0).arguments, R"({"city":"Paris"})");
  EXPECT_EQ(calls.at(1).arguments, R"({"n":1})");
  EXPECT_EQ(calls.at(2).arguments, "{}");
}

TEST(ScriptedModel, FirstFittingLineAnswersInPieces) {
  ScriptedModel model(Script{{"退款", "您好，七天内可以 无理由退款。", {}}, {"", "I see.", {}}});
  std::string streamed;
  std::optional<Result<Generated>> done;
  const auto id = model.generate(
      ask("我要退款"), [&](std::string_view piece) { streamed += piece; },
      [&](Result<Generated> answer) { done = std::move(answer); });
  EXPECT_NE(id, 0U);
  ASSERT_TRUE(done.has_value() && done->has_value());
  EXPECT_EQ((*done)->text, "您好，七天内可以 无理由退款。");
  EXPECT_EQ(streamed, (*done)->text);
  EXPECT_GT((*done)->usage.prompt_tokens, 0);
  EXPECT_EQ(generate_and_wait(model, ask("hello"))->text, "I see.");
  EXPECT_EQ(model.last_request()->turns.back().content, "hello");
  EXPECT_EQ(model.calls(), 2U);
}

TEST(ScriptedModel, StopStringsAndTokenBoundCut) {
  ScriptedModel model(Script{{"", "one two three END four", {}}});
  auto request = ask("x");
  request.stop = {"END"};
  EXPECT_EQ(generate_and_wait(model, request)->text, "one two three ");
  request.tokens_max = 2;
  const auto cut = generate_and_wait(model, request);
  EXPECT_EQ(cut->text, "one two ");
  EXPECT_EQ(cut->finish, Finish::kLength);
  EXPECT_EQ(cut->usage.completion_tokens, 2);
}

TEST(ScriptedModel, ToolCallsAreGivenBack) {
  ScriptedModel model(Script{{"", "", {{"call_1", "order-lookup", R"({"order":"7"})"}}}});
  const auto answer = generate_and_wait(model, ask("where is it"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->finish, Finish::kToolCalls);
  EXPECT_EQ(answer->tool_calls.at(0).name, "order-lookup");
}

TEST(ScriptedModel, NoFittingLineIsAnError) {
  ScriptedModel model(Script{{"refund", "ok", {}}});
  const auto answer = generate_and_wait(model, ask("hello"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kModelFailed);
  EXPECT_NE(answer.error().message.find("hello"), std::string::npos);
}

TEST(ScriptedModel, FaultsComeFromTheSeed) {
  const ScriptFaults faults{0.2, 0.2, 0.2, 0.2, 0.1};
  const auto codes = [&](std::uint64_t seed) {
    ScriptedModel model(Script{{"", "a b c d", {}}}, seed, faults);
    std::string seen;
    for (int i = 0; i < 200; ++i) {
      const auto answer = generate_and_wait(model, ask("x"));
      if (!answer) {
        seen += name_of(answer.error().code).front();
      } else {
        seen += answer->finish == Finish::kLength ? 'C' : answer->text == "a b c d" ? '.' : 'G';
      }
    }
    return seen;
  };
  const std::string first = codes(7);
  EXPECT_EQ(first, codes(7));
  EXPECT_NE(first, codes(8));
  for (const char kind : std::string("modC.G")) {
    EXPECT_NE(first.find(kind), std::string::npos) << kind;
  }
}

TEST(ScriptedModel, NearTextsHaveNearVectors) {
  ScriptedModel model({});
  const auto vectors = embed_and_wait(model, {"我要退款", "我想要退款", "今天天气很好", ""});
  ASSERT_TRUE(vectors);
  ASSERT_EQ(vectors->size(), 4U);
  for (const auto& vector : *vectors) EXPECT_NEAR(dot(vector, vector), 1.0F, 1e-5F);
  EXPECT_GT(dot(vectors->at(0), vectors->at(1)), dot(vectors->at(0), vectors->at(2)) + 0.2F);
}

TEST(ScriptedModel, ScriptFilesAreRead) {
  const testing::TempFolder folder;
  const auto lines = load_script(folder.write(
      "script.yaml", "script:\n  - { when: hi, say: hello }\n  - { say: \"what?\" }\n"));
  ASSERT_TRUE(lines) << lines.error().message;
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ(lines->at(1).say, "what?");
  const auto wrong =
      load_script(folder.write("script.yaml", "script:\n  - { wen: hi, say: hello }\n"));
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find(":2"), std::string::npos) << wrong.error().message;
}

}  // namespace
}  // namespace qiao
