// SPDX-License-Identifier: Apache-2.0
#include "model/measured_model.h"

#include <gmock/gmock.h>

#include "base/testing/manual_clock.h"
#include "model/scripted_model.h"

namespace qiao::model {
namespace {

TEST(MeasuredModel, CountsAnswersTextsAndFailures) {
  const testing::ManualClock clock;
  Metrics metrics;
  auto script = std::make_shared<ScriptedModel>(std::vector<ScriptLine>{{"hi", "hello there", {}}});
  MeasuredModel model(script, "chat", clock, metrics);
  GenerateRequest request;
  request.turns = {{Role::kUser, "hi", {}, {}}};
  EXPECT_EQ(generate_and_wait(model, request)->text, "hello there");
  request.turns[0].content = "what?";
  EXPECT_FALSE(generate_and_wait(model, request));
  EXPECT_TRUE(embed_and_wait(model, {"a", "b"}));
  EXPECT_EQ(model.info().where, "scripted");
  const auto text = metrics.text();
  for (const char* line : {"qiao_model_answers_total{model=\"chat\"} 1\n",
                           "qiao_model_failures_total{model=\"chat\"} 1\n",
                           "qiao_model_completion_tokens_total{model=\"chat\"} 2\n",
                           "qiao_model_texts_total{model=\"chat\"} 2\n",
                           "qiao_model_first_token_seconds_count{model=\"chat\"} 1\n"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(line));
  }
}

}  // namespace
}  // namespace qiao::model
