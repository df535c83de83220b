// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <atomic>
#include <future>

#include "model/testing/pulled_model.h"

namespace qiao {
namespace {

using testing::PulledModelTest;

ChatTurn turn(Role role, std::string text) {
  return {role, std::move(text), {}, {}};
}

GenerateRequest greedy(std::string user, std::int32_t tokens_max = 24) {
  GenerateRequest request;
  request.turns = {turn(Role::kSystem, "You answer in one short sentence."),
                   turn(Role::kUser, std::move(user))};
  request.shared_turns = 1;
  request.tokens_max = tokens_max;
  request.sampling.temperature = 0;
  request.deadline_ms = 170'000;  // a busy machine is no failure
  return request;
}

std::string long_text(int words) {
  std::string text;
  for (int i = 0; i < words; ++i) text += "word" + std::to_string(i % 97) + " ";
  return text;
}

// An answer that is being written; wait() gives how it ended.
struct Asked {
  std::promise<Result<Generated>> done;
  std::atomic<int> pieces{0};
  std::string text;
  Model::RequestId id = 0;

  Asked(Model& model, GenerateRequest request) {
    id = model.generate(
        std::move(request),
        [this](std::string_view piece) {
          text += piece;
          ++pieces;
        },
        [this](Result<Generated> generated) { done.set_value(std::move(generated)); });
  }
  Result<Generated> wait() { return done.get_future().get(); }
};

class LlamaModel : public PulledModelTest {
 protected:
  static ModelOptions smollm() { return options_for("smollm2-135m", "in-process"); }
};

TEST_F(LlamaModel, AnswersAndStreamsTheSameText) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  EXPECT_EQ(model->info().kind, "generator");
  EXPECT_TRUE(model->info().ready);
  Asked asked(*model, greedy("What is the capital of France?"));
  const auto answer = asked.wait();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_THAT(answer->text, ::testing::HasSubstr("Paris"));
  EXPECT_EQ(answer->text, asked.text);
  EXPECT_GT(answer->usage.prompt_tokens, 10);
  EXPECT_GT(answer->usage.completion_tokens, 0);
  EXPECT_GT(answer->first_token_ms, 0);
  EXPECT_GE(answer->total_ms, answer->first_token_ms);
}

TEST_F(LlamaModel, DoesNotDecodeABeginningTwice) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  auto request = greedy("What is the capital of France?");
  const auto first = generate_and_wait(*model, request);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->usage.cached_tokens, 0);
  const auto again = generate_and_wait(*model, request);
  EXPECT_EQ(again->usage.cached_tokens, again->usage.prompt_tokens - 1);
  EXPECT_EQ(again->text, first->text);
  const auto other = generate_and_wait(*model, greedy("Name a colour."));
  EXPECT_GE(other->usage.cached_tokens, 8);  // the system turn
  request.turns.push_back(turn(Role::kAssistant, first->text));
  request.turns.push_back(turn(Role::kUser, "And of Italy?"));
  const auto next = generate_and_wait(*model, request);
  EXPECT_GE(next->usage.cached_tokens, first->usage.prompt_tokens);
}

TEST_F(LlamaModel, WritesAsAGrammarOrSchemaSays) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  auto request = greedy("Is the sky blue?");
  request.grammar = "root ::= \"yes\" | \"no\"";
  const auto word = generate_and_wait(*model, request);
  ASSERT_TRUE(word) << word.error().message;
  EXPECT_THAT(word->text, ::testing::AnyOf("yes", "no"));
  request.grammar.clear();
  request.sampling.temperature = 1;
  request.tokens_max = 200;
  request.json_schema = *parse_json(
      R"({"type":"object","properties":{"colour":{"enum":["blue","red"]},"sure":{"type":"boolean"}},
          "required":["colour","sure"],"additionalProperties":false})");
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    request.sampling.seed = seed;
    const auto object = generate_and_wait(*model, request);
    ASSERT_TRUE(object) << object.error().message;
    const auto json = parse_json(object->text);
    ASSERT_TRUE(json) << object->text;
    EXPECT_TRUE(json->at("sure").is_boolean());
    EXPECT_THAT(json_string(*json, "colour").value_or(""), ::testing::AnyOf("blue", "red"));
  }
}

TEST_F(LlamaModel, CallsTheToolItMustCall) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  auto request = greedy("How is the weather in Rome?", 100);
  request.tools = *parse_json(
      R"([{"type":"function","function":{"name":"weather","parameters":{"type":"object",
          "properties":{"city":{"type":"string","maxLength":20}},"required":["city"]}}}])");
  request.tool_choice = "weather";
  Asked asked(*model, request);
  const auto answer = asked.wait();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->finish, Finish::kToolCalls);
  ASSERT_EQ(answer->tool_calls.size(), 1U);
  EXPECT_EQ(answer->tool_calls[0].name, "weather");
  EXPECT_TRUE(parse_json(answer->tool_calls[0].arguments)->contains("city"));
  EXPECT_THAT(asked.text, ::testing::Not(::testing::HasSubstr("{")));
}

TEST_F(LlamaModel, TheSeedDecides) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  auto request = greedy("Tell me a story.");
  request.sampling.temperature = 1.5;
  request.sampling.seed = 7;
  const auto first = generate_and_wait(*model, request);
  const auto again = generate_and_wait(*model, request);
  request.sampling.seed = 8;
  const auto other = generate_and_wait(*model, request);
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->text, again->text);
  EXPECT_NE(first->text, other->text);
}

TEST_F(LlamaModel, EightConversationsSideBySide) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 8; ++i) {
    asked.push_back(std::make_unique<Asked>(
        *model, greedy("What is " + std::to_string(i) + " plus one? " + long_text(i * 5), 16)));
  }
  for (auto& one : asked) {
    const auto answer = one->wait();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text, one->text);
    EXPECT_FALSE(answer->text.empty());
  }
}

TEST_F(LlamaModel, CancelEndsARunningAndAWaitingAnswer) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  auto options = smollm();
  options.slots = 1;
  const auto model = open(options);
  Asked running(*model, greedy("Count from one to one thousand.", 2000));
  Asked waiting(*model, greedy("Hello?", 2000));
  while (running.pieces == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  model->cancel(waiting.id);
  EXPECT_EQ(waiting.wait().error().code, Code::kCancelled);
  model->cancel(running.id);
  EXPECT_EQ(running.wait().error().code, Code::kCancelled);
  model->cancel(running.id);  // harmless
  EXPECT_TRUE(generate_and_wait(*model, greedy("Hello?", 4)));
}

TEST_F(LlamaModel, AnswersEndAtTheirDeadline) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = open(smollm());
  auto request = greedy("Count from one to one thousand.", 5000);
  request.deadline_ms = 100;
  const auto start = clock_.steady_us();
  const auto answer = generate_and_wait(*model, request);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kDeadline);
  EXPECT_LT(clock_.steady_us() - start, 5'000'000);
}

TEST_F(LlamaModel, PastItsBoundItIsOverloaded) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  auto options = smollm();
  options.requests_max = 1;
  const auto model = open(options);
  Asked running(*model, greedy("Count from one to one thousand.", 2000));
  Asked refused(*model, greedy("Hello?"));
  EXPECT_EQ(refused.id, 0U);
  EXPECT_EQ(refused.wait().error().code, Code::kOverloaded);
  model->cancel(running.id);
  EXPECT_FALSE(running.wait());
}

TEST_F(LlamaModel, SaysWhatIsWrongWithARequest) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  auto options = smollm();
  options.context_tokens = 256;
  const auto model = open(options);
  const auto too_long = generate_and_wait(*model, greedy(long_text(1000)));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Code::kInvalidArgument);
  EXPECT_THAT(too_long.error().message, ::testing::HasSubstr("256"));
  auto bad = greedy("hi");
  bad.grammar = "root ::= (((";
  EXPECT_EQ(generate_and_wait(*model, bad).error().code, Code::kInvalidArgument);
  bad = greedy("hi");
  bad.sampling.temperature = -1;
  EXPECT_EQ(generate_and_wait(*model, bad).error().code, Code::kInvalidArgument);
  EXPECT_EQ(embed_and_wait(*model, {"hi"}).error().code, Code::kUnsupported);
  // An answer that would not fit is bounded by the context.
  const auto bounded = generate_and_wait(*model, greedy("Count to one thousand.", 100'000));
  ASSERT_TRUE(bounded) << bounded.error().message;
  EXPECT_LE(bounded->usage.prompt_tokens + bounded->usage.completion_tokens, 256);
}

// Goal: an urgent message gets its answer while a long prompt is still being read. Method: a
// long prompt has the only slot; an urgent request may use one more.
TEST_F(LlamaModel, AnUrgentMessageIsNotStuckBehindALongPrompt) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  auto options = smollm();
  options.slots = 1;
  const auto model = open(options);
  Asked slow(*model, greedy(long_text(400), 2));
  auto request = greedy("Hello?", 2);
  request.priority = 9;
  Asked urgent(*model, request);
  const auto answer = urgent.wait();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(slow.pieces, 0);
  EXPECT_TRUE(slow.wait());
}

}  // namespace
}  // namespace qiao
