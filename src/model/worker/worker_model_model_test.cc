// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_model.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <future>

#include "model/testing/pulled_model.h"

namespace qiao::model {
namespace {

class WorkerChat : public testing::PulledModelTest {
 protected:
  static ModelOptions smollm() { return options_for("smollm2-135m", "worker"); }
  std::unique_ptr<WorkerModel> start() {
    return std::make_unique<WorkerModel>(smollm(), WorkerTimes(), clock_, metrics_);
  }
  static GenerateRequest ask(std::string text, std::int32_t tokens_max) {
    GenerateRequest request;
    request.turns = {{Role::kUser, std::move(text), {}, {}}};
    request.tokens_max = tokens_max;
    request.sampling.temperature = 0;
    request.deadline_ms = 170'000;
    return request;
  }
};

TEST_F(WorkerChat, SaysWhatTheModelSaysInProcess) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto there = start();
  auto options = smollm();
  options.engine = "in-process";
  const auto here = open(options);
  const auto request = ask("What is the capital of France?", 12);
  const auto a = generate_and_wait(*here, request);
  std::string streamed;
  std::promise<Result<Generated>> done;
  there->generate(
      request, [&](std::string_view piece) { streamed += piece; },
      [&](Result<Generated> generated) { done.set_value(std::move(generated)); });
  const auto b = done.get_future().get();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->text, b->text);
  EXPECT_EQ(streamed, b->text);
  EXPECT_EQ(a->usage.prompt_tokens, b->usage.prompt_tokens);
  EXPECT_GT(b->first_token_ms, 0);
}

TEST_F(WorkerChat, AnAnswerThatHasBegunFailsWithItsWorkerAndTheNextOneWorks) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = start();
  std::atomic<bool> spoke{false};
  std::promise<Result<Generated>> done;
  model->generate(
      ask("Count from one to one thousand.", 3000), [&](std::string_view) { spoke = true; },
      [&](Result<Generated> generated) { done.set_value(std::move(generated)); });
  while (!spoke) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_EQ(::kill(model->pid(), SIGKILL), 0);
  const auto answer = done.get_future().get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kModelFailed);
  EXPECT_THAT(answer.error().message, ::testing::HasSubstr("signal 9"));
  const auto next = generate_and_wait(*model, ask("Hello?", 4));
  EXPECT_TRUE(next) << next.error().message;
  EXPECT_EQ(model->info().restarts, 1U);
}

TEST_F(WorkerChat, CancelAndDeadlineReachTheWorker) {
  QIAO_SKIP_WITHOUT_MODEL(smollm());
  const auto model = start();
  std::atomic<bool> spoke{false};
  std::promise<Result<Generated>> done;
  const auto id = model->generate(
      ask("Count from one to one thousand.", 3000), [&](std::string_view) { spoke = true; },
      [&](Result<Generated> generated) { done.set_value(std::move(generated)); });
  while (!spoke) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  model->cancel(id);
  EXPECT_EQ(done.get_future().get().error().code, Code::kCancelled);
  auto late = ask("Count from one to one thousand.", 3000);
  late.grammar = "root ::= [a-z ]{1500}";  // else a fast machine comes to the answer's end
  late.deadline_ms = 300;
  const auto cut = generate_and_wait(*model, late);
  ASSERT_FALSE(cut) << cut->text;
  EXPECT_EQ(cut.error().code, Code::kDeadline) << cut.error().message;
  EXPECT_TRUE(generate_and_wait(*model, ask("Hello?", 4)));
  EXPECT_EQ(model->info().restarts, 0U);
}

}  // namespace
}  // namespace qiao::model
