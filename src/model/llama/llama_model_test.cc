// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_model.h"

#include <gmock/gmock.h>

#include <future>

#include "model/testing/tiny_gguf.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

// An answer that is being written; wait() gives how it ended.
struct Asked {
  std::promise<Result<Generated>> done;
  std::string text;
  Model::RequestId id = 0;

  Asked(Model& model, const GenerateRequest& request) {
    id = model.generate(
        request, [this](std::string_view piece) { text += piece; },
        [this](Result<Generated> generated) { done.set_value(std::move(generated)); });
  }
  Result<Generated> wait() { return done.get_future().get(); }
};

// The tiny chat model, whose answers are noise of a known length: what is tested is how they are
// scheduled.
class TinyChat : public ::testing::Test {
 protected:
  TinyChat() {
    options_.name = "tiny";
    options_.path = tiny_chat(folder_);
    options_.engine = "in-process";
    options_.threads = 1;
    options_.slots = 4;
    options_.context_tokens = 2048;
  }
  std::shared_ptr<Model> open() {
    auto model = open_model(options_, clock_, metrics_);
    EXPECT_TRUE(model) << model.error().message;
    return model ? *model : nullptr;
  }
  static GenerateRequest ask(const std::string& text, std::int32_t tokens_max = 20) {
    GenerateRequest request;
    request.turns = {{Role::kSystem, "You are a tiny model and you mean well.", {}, {}},
                     {Role::kUser, text, {}, {}}};
    request.shared_turns = 1;
    request.tokens_max = tokens_max;
    request.sampling.temperature = 0;
    return request;
  }

  TempFolder folder_;
  ModelOptions options_;
  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(TinyChat, AnswersAreTheSameAloneAndInCompany) {
  const auto model = open();
  std::vector<std::string> alone;
  for (int i = 0; i < 12; ++i) {
    const auto answer = generate_and_wait(*model, ask("question " + std::to_string(i * i)));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_GT(answer->usage.completion_tokens, 0);
    alone.push_back(answer->text);
  }
  const auto crowd = open();  // with an empty memory
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 12; ++i) {
    asked.push_back(std::make_unique<Asked>(*crowd, ask("question " + std::to_string(i * i))));
  }
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto answer = asked[i]->wait();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->text, alone[i]);
    EXPECT_EQ(answer->text, asked[i]->text);
  }
}

TEST_F(TinyChat, ASharedBeginningIsReadOnceByACrowd) {
  options_.slots = 8;
  const auto model = open();
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 8; ++i) {
    asked.push_back(std::make_unique<Asked>(*model, ask("number " + std::to_string(i), 4)));
  }
  int cold = 0;
  for (auto& one : asked) {
    const auto answer = one->wait();
    ASSERT_TRUE(answer) << answer.error().message;
    cold += answer->usage.cached_tokens == 0 ? 1 : 0;
  }
  EXPECT_EQ(cold, 1);
}

TEST_F(TinyChat, AConversationGoesOnWhereItWas) {
  const auto model = open();
  auto request = ask("hello");
  request.grammar = "root ::= \"hello!\"";
  const auto first = generate_and_wait(*model, request);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->text, "hello!");
  request.turns.push_back({Role::kAssistant, first->text, {}, {}});
  request.turns.push_back({Role::kUser, "and now?", {}, {}});
  const auto next = generate_and_wait(*model, request);
  EXPECT_GE(next->usage.cached_tokens, first->usage.prompt_tokens + first->usage.completion_tokens);
}

TEST_F(TinyChat, MoreThanTheMemoryHoldsWaitsForItsTurn) {
  options_.context_tokens = 512;
  const auto model = open();
  std::vector<std::unique_ptr<Asked>> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(std::make_unique<Asked>(
        *model, ask(std::string(static_cast<std::size_t>(40 + i), 'q'), 150)));
  }
  for (auto& one : asked) {
    const auto answer = one->wait();
    EXPECT_TRUE(answer) << answer.error().message;
  }
}

TEST_F(TinyChat, TheUrgentGoFirst) {
  options_.slots = 1;
  const auto model = open();
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::future<void>> ends;
  for (const int priority : {4, 4, 1, 7}) {
    auto request = ask("p" + std::to_string(order.size()), 100);
    request.priority = static_cast<std::uint8_t>(priority);
    auto end = std::make_shared<std::promise<void>>();
    ends.push_back(end->get_future());
    model->generate(request, {}, [&, priority, end](const Result<Generated>&) {
      const std::lock_guard lock(mutex);
      order.push_back(priority);
      end->set_value();
    });
  }
  for (auto& end : ends) end.get();
  EXPECT_EQ(order.back(), 1);
  EXPECT_LT(std::find(order.begin(), order.end(), 7) - order.begin(), 2);
}

TEST_F(TinyChat, TheIdleOneWaitsForAllOthers) {
  options_.slots = 1;
  const auto model = open();
  std::mutex mutex;
  std::vector<std::string> order;
  std::promise<void> begun;
  const auto submit = [&](const std::string& name, GenerateRequest request, Model::OnText on_text) {
    auto end = std::make_shared<std::promise<Result<Generated>>>();
    model->generate(std::move(request), std::move(on_text),
                    [&order, &mutex, name, end](Result<Generated> done) {
                      const std::lock_guard lock(mutex);
                      order.push_back(name);
                      end->set_value(std::move(done));
                    });
    return end->get_future();
  };
  auto idle = ask("hello", 1500);
  idle.priority = kIdlePriority;
  idle.grammar = "root ::= \"o\" root";  // it does not end by itself
  auto first = submit("idle", idle, [&, once = false](std::string_view) mutable {
    if (!std::exchange(once, true)) begun.set_value();
  });
  begun.get_future().wait();
  auto second = submit("asked", ask("hello"), {});
  auto third = submit("asked", ask("and you"), {});
  for (auto* end : {&first, &second, &third}) {
    const auto done = end->get();
    EXPECT_TRUE(done) << done.error().message;
  }
  EXPECT_THAT(order, ::testing::ElementsAre("asked", "asked", "idle"));
}

TEST_F(TinyChat, StopStringsEndAnAnswer) {
  const auto model = open();
  auto request = ask("hello", 50);
  request.grammar = "root ::= \"one END two\"";
  request.stop = {"END"};
  Asked asked(*model, request);
  const auto answer = asked.wait();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->text, "one ");
  EXPECT_EQ(asked.text, "one ");
  EXPECT_EQ(answer->finish, Finish::kStop);
}

TEST_F(TinyChat, AnAnswerIsCutAtItsBound) {
  const auto model = open();
  auto request = ask("hello", 5);
  request.grammar = "root ::= \"one two three\"";
  const auto answer = generate_and_wait(*model, request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->finish, Finish::kLength);
  EXPECT_EQ(answer->text, "one t");
  EXPECT_EQ(answer->usage.completion_tokens, 5);
}

TEST_F(TinyChat, AToolCallIsReadFromABareObject) {
  const auto model = open();
  auto request = ask("hello", 600);
  request.tools = *parse_json(R"([{"type":"function","function":{"name":"time","parameters":
      {"type":"object","properties":{"zone":{"enum":["UTC"]}},"required":["zone"]}}}])");
  request.tool_choice = "required";
  const auto called = generate_and_wait(*model, request);
  ASSERT_TRUE(called) << called.error().message;
  EXPECT_EQ(called->finish, Finish::kToolCalls);
  ASSERT_EQ(called->tool_calls.size(), 1U);
  EXPECT_EQ(called->tool_calls[0].arguments, R"({"zone":"UTC"})");
  EXPECT_EQ(called->text, "");
  request.tool_choice = "absent";
  EXPECT_EQ(generate_and_wait(*model, request).error().code, Code::kInvalidArgument);
}

TEST_F(TinyChat, ClosingEndsWhatIsUnderWay) {
  auto model = open();
  Asked running(*model, ask("hello", 1500));
  Asked waiting(*model, ask("hello again", 1500));
  model.reset();
  EXPECT_EQ(running.wait().error().code, Code::kCancelled);
  EXPECT_EQ(waiting.wait().error().code, Code::kCancelled);
}

// Every field out of its range is named.
TEST_F(TinyChat, NamesWhatIsWrongWithARequest) {
  const auto model = open();
  const auto error_of = [&](auto change) {
    auto request = ask("hi");
    change(request);
    const auto answer = generate_and_wait(*model, request);
    if (answer) return std::string("accepted");
    EXPECT_EQ(answer.error().code, Code::kInvalidArgument) << answer.error().message;
    return answer.error().message;
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(error_of([](auto& r) { r.turns.clear(); }), HasSubstr("turn"));
  EXPECT_THAT(error_of([](auto& r) { r.shared_turns = 3; }), HasSubstr("shared_turns"));
  EXPECT_THAT(error_of([](auto& r) { r.tokens_max = 0; }), HasSubstr("tokens_max"));
  EXPECT_THAT(error_of([](auto& r) { r.deadline_ms = 0; }), HasSubstr("deadline_ms"));
  EXPECT_THAT(error_of([](auto& r) { r.stop = {""}; }), HasSubstr("stop"));
  EXPECT_THAT(error_of([](auto& r) { r.stop.assign(17, "x"); }), HasSubstr("stop"));
  EXPECT_THAT(error_of([](auto& r) { r.sampling.top_p = 2; }), HasSubstr("top_p"));
  EXPECT_THAT(error_of([](auto& r) { r.tools = Json::object(); }), HasSubstr("tools"));
  EXPECT_THAT(error_of([](auto& r) {
                r.grammar = "root ::= \"a\"";
                r.json_schema = Json::object();
              }),
              HasSubstr("json_schema"));
  EXPECT_THAT(error_of([](auto& r) { r.turns[1].content = std::string(3000, 'x'); }),
              HasSubstr("2048"));
  EXPECT_THAT(error_of([](auto& r) { r.turns[1].content = std::string(1 << 20, 'x'); }),
              HasSubstr("bytes"));
  EXPECT_THAT(error_of([](auto& r) { r.json_schema = Json::array(); }), HasSubstr("Schema"));
}

}  // namespace
}  // namespace qiao::model
