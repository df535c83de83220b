// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/model_agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/testing/flow_rig.h"

namespace qiao {
namespace {

using ::testing::HasSubstr;

// A held model that keeps what it has read, as those of this machine do.
class KeepingModel final : public testing::HeldModel {
 public:
  explicit KeepingModel(std::string where) : where_(std::move(where)) {}
  [[nodiscard]] ModelInfo info() const override {
    ModelInfo info;
    info.where = where_;
    return info;
  }

 private:
  std::string where_;
};

class ModelAgentTest : public ::testing::Test {
 protected:
  ModelAgentTest() {
    agent_.prompt = {"你很友好。", "You are kind."};
    agent_.context_tokens = 1000;
    for (int i = 0; i < 60; ++i) {
      const std::string number = std::to_string(i);
      entries_.push_back({number, "", {"问" + number}, {"ask " + number}, {"答", "answer"}, ""});
    }
  }
  // What the model was given to read, until there is no more.
  std::vector<GenerateRequest> read(std::span<const KnowledgeEntry> entries) {
    ModelAgent agent(agent_, model_, {}, {});
    agent.warm_up(entries);
    std::vector<GenerateRequest> requests;
    while (model_->asked > requests.size()) {
      requests.push_back(model_->last);
      model_->answer("x");
    }
    return requests;
  }

  AgentConfig agent_;
  std::vector<KnowledgeEntry> entries_;
  std::shared_ptr<KeepingModel> model_ = std::make_shared<KeepingModel>("worker");
};

TEST_F(ModelAgentTest, ReadsWhatAnswersBeginWithOneAfterAnother) {
  const auto requests = read(std::span(entries_).first(2));
  ASSERT_EQ(requests.size(), 6U);  // alone and with each entry, in both languages
  for (const GenerateRequest& request : requests) {
    EXPECT_EQ(request.turns.size(), 2U);
    EXPECT_EQ(request.shared_turns, 2U);
    EXPECT_EQ(request.tokens_max, 1);
    EXPECT_EQ(request.priority, kIdlePriority);
  }
  EXPECT_EQ(requests[0].turns[0].content, "你很友好。");
  EXPECT_EQ(requests[1].turns[0].content, "You are kind.");
  EXPECT_THAT(requests[5].turns[1].content, HasSubstr("ask 1"));
}

// What was read ahead is what an answer begins with.
TEST_F(ModelAgentTest, AnswersBeginWithWhatWasRead) {
  const auto requests = read(std::span(entries_).first(1));
  const auto task = std::make_shared<AgentTask>();
  task->agent = &agent_;
  task->text = "How?";
  task->conversation = std::make_shared<Conversation>();
  task->knowledge = {{entries_.data(), 0.8, "another question of it"}};
  task->tokens_left = 1000;
  task->deadline_ms = 1000;
  ModelAgent agent(agent_, model_, {}, {});
  agent.process(task, {}, [](const Result<Draft>&) {});
  ASSERT_GE(model_->last.turns.size(), 2U);
  EXPECT_EQ(model_->last.turns[0].content, requests[3].turns[0].content);
  EXPECT_EQ(model_->last.turns[1].content, requests[3].turns[1].content);
  EXPECT_EQ(model_->last.shared_turns, 2U);
}

TEST_F(ModelAgentTest, IsBounded) {
  EXPECT_EQ(read(entries_).size(), 98U);  // 48 entries
}

TEST_F(ModelAgentTest, EndsWithTheFirstRefusal) {
  ModelAgent agent(agent_, model_, {}, {});
  agent.warm_up(entries_);
  model_->done(unavailable("the model is gone"));
  EXPECT_EQ(model_->asked, 1U);
}

TEST_F(ModelAgentTest, OutlivesNeitherAgentNorModel) {
  {
    ModelAgent agent(agent_, model_, {}, {});
    agent.warm_up(entries_);
  }
  const auto done = std::exchange(model_->done, {});
  model_.reset();
  done(Generated{});  // as a model that is closed ends its requests
}

TEST_F(ModelAgentTest, WithoutADraftTheNearestEntryIsSaidWhereNothingElseMayBe) {
  agent_.reply = {"请说具体些。", "Please say more."};
  AgentTask task;
  task.language = Language::kChinese;
  task.knowledge = {{&entries_[3], 0.7, {}}};
  EXPECT_EQ(ModelAgent(agent_, model_, {}, {}).plain(task), "请说具体些。");
  agent_.knowledge_only = true;
  EXPECT_EQ(ModelAgent(agent_, model_, {}, {}).plain(task), "答");
  task.knowledge[0].score = 0.6;  // less likely meant than not: a person knows more
  EXPECT_EQ(ModelAgent(agent_, model_, {}, {}).plain(task), std::nullopt);
  task.knowledge.clear();
  EXPECT_EQ(ModelAgent(agent_, model_, {}, {}).plain(task), "请说具体些。");
}

TEST_F(ModelAgentTest, IsNotForModelsElsewhere) {
  model_ = std::make_shared<KeepingModel>("provider");
  EXPECT_TRUE(read(entries_).empty());
}

}  // namespace
}  // namespace qiao
