// SPDX-License-Identifier: Apache-2.0
// What a turn does with the receipts of an earlier attempt: crashes at every step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "flow/replay/replay.h"
#include "flow/testing/flow_rig.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;
using testing::FlowRig;
using ::testing::HasSubstr;
using testing::HeldModel;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// One turn: understand, decide, a draft that asks for a tool, the tool, perhaps a draft that the
// filter rejects, a draft that passes.
constexpr const char* kFlow = R"(flow: f
routes: [ { name: all, otherwise: true, to: agent.chat } ]
tools:
  refund:
    describe: { zh: 退款, en: refund an order }
    http: { method: POST, url: "http://127.0.0.1:1/refund" }
    needs: [ order_number ]
agents:
  chat:
    { prompt: p.md, tools: [ refund ], tool_choice: model, filter: [ language ], retries: 1 }
fallback: { text: { zh: 不行。, en: "No." } }
budget: { hops: 3, tokens: 5000, wall: 30s }
)";

// Asks for the tool, then answers in the wrong language, then well; says the same to the same.
class ThreeStepModel final : public Model {
 public:
  [[nodiscard]] ModelInfo info() const override { return {}; }
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override {
    ++asked;
    Generated generated;
    generated.usage = {10, 0, 5};
    const bool has_tool = std::any_of(request.turns.begin(), request.turns.end(),
                                      [](const auto& turn) { return turn.role == Role::kTool; });
    const bool rejected =
        std::any_of(request.turns.begin(), request.turns.end(), [](const auto& turn) {
          return turn.content.find("in another language") != std::string::npos;
        });
    if (!has_tool && !rejected) {
      generated.finish = Finish::kToolCalls;
      generated.tool_calls = {{"call1", "refund", R"({"order_number":"A1234567"})"}};
    } else {
      generated.text = rejects && !rejected ? "退款已经在路上了。" : "Your refund is on its way.";
      on_text(generated.text);
    }
    on_done(std::move(generated));
    return 1;
  }
  void cancel(RequestId) override {}
  void embed(std::vector<std::string>, OnEmbedded on_done) override {
    on_done(unavailable("no encoder"));
  }
  Result<std::int32_t> count_tokens(std::string_view) override { return unavailable("no counter"); }

  int asked = 0;
  bool rejects = false;
};

class ReceiptsTest : public ::testing::Test {
 protected:
  ReceiptsTest() : rig_(kFlow) { prepare(rig_); }

  void prepare(FlowRig& rig) {
    rig.folder.write("p.md", "Be kind.");
    rig.models["chat"] = model_;
    rig.fetch = [this](const FetchRequest& request, std::stop_token) -> Result<FetchResponse> {
      for (const auto& [name, value] : request.headers) {
        if (name == "idempotency-key") effects_.push_back(value);
      }
      if (tool_fails_) return unavailable("the tool is away");
      FetchResponse response;
      response.status = 200;
      response.body = R"({"refund":"r-17"})";
      return response;
    };
  }
  // Steps that have a receipt in the log.
  static std::set<std::string> steps(FlowRig& rig) {
    std::set<std::string> found;
    for (const Record& record : rig.records()) {
      if (const auto* receipt = std::get_if<record::Receipt>(&record)) found.insert(receipt->step);
    }
    return found;
  }
  static std::size_t count(const std::set<std::string>& steps, std::string_view kind) {
    return static_cast<std::size_t>(std::count_if(
        steps.begin(), steps.end(), [&](const auto& step) { return step.starts_with(kind); }));
  }

  std::shared_ptr<ThreeStepModel> model_ = std::make_shared<ThreeStepModel>();
  std::vector<std::string> effects_;  // keys, one for each call of the tool
  bool tool_fails_ = false;
  FlowRig rig_;
};

TEST_F(ReceiptsTest, ATurnStoresWhatItWasAnswered) {
  rig_.start();
  rig_.say("refund A1234567 please");
  EXPECT_THAT(rig_.replies(), ElementsAre("Your refund is on its way."));
  const std::set<std::string> stored = steps(rig_);
  EXPECT_EQ(count(stored, "decision"), 1U);
  EXPECT_EQ(count(stored, "model."), 2U);
  EXPECT_EQ(count(stored, "tool:"), 1U);
  EXPECT_EQ(count(stored, "filter."), 1U);
}

// The server ends after every single task of its loop. Whatever has a receipt is not asked again,
// and a tool is not called before the draft that wants it has one.
TEST_F(ReceiptsTest, ACrashAnywhereAsksNothingTwiceThatHasAReceipt) {
  for (const bool rejects : {false, true}) {
    const std::size_t drafts = rejects ? 3 : 2;
    bool whole = false;
    std::set<std::size_t> resumed_at;
    for (std::size_t tasks = 1; !whole && tasks < 400; ++tasks) {
      SCOPED_TRACE("crash after task " + std::to_string(tasks));
      model_->asked = 0;
      model_->rejects = rejects;
      effects_.clear();
      FlowRig rig(kFlow);
      prepare(rig);
      rig.start();
      Message message = text_message(rig.input, "refund A1234567 please", "c1");
      message.id = "m1";
      rig.broker->publish({std::move(message)}, [](const auto& done) { ASSERT_TRUE(done); });
      whole = rig.loop->run(tasks) < tasks;
      const std::set<std::string> before = steps(rig);
      const auto asked = static_cast<std::size_t>(model_->asked);
      const std::size_t called = effects_.size();
      // One answer, and that of a rejected draft, may be on their way.
      ASSERT_LE(asked, count(before, "model.") + (rejects ? 2 : 1));
      ASSERT_LE(called, count(before, "tool:") + 1);
      if (called > 0) {
        ASSERT_GE(count(before, "model."), 1U) << "a tool was called for a draft that may change";
      }
      resumed_at.insert(before.size());

      if (rig.messages(rig.input).empty()) continue;  // nobody was told that it is stored
      rig.start();
      rig.loop->run();
      ASSERT_THAT(rig.replies(), ElementsAre("Your refund is on its way."));
      ASSERT_EQ(static_cast<std::size_t>(model_->asked), asked + drafts - count(before, "model."));
      ASSERT_EQ(effects_.size(), called + 1 - count(before, "tool:"));
      ASSERT_EQ(std::set<std::string>(effects_.begin(), effects_.end()).size(), 1U);
    }
    EXPECT_TRUE(whole);
    EXPECT_GE(resumed_at.size(), rejects ? 6U : 4U);  // after each step
  }
}

TEST_F(ReceiptsTest, AFailedStepIsAskedAgain) {
  const auto held = std::make_shared<HeldModel>();
  rig_.models["chat"] = held;
  rig_.folder.write("flow.yaml", R"(flow: f
routes: [ { name: all, otherwise: true, to: agent.chat } ]
agents: { chat: { prompt: p.md } }
)");
  rig_.start();
  rig_.say("hello there");
  held->done(unavailable("the model is away"));
  rig_.loop->run();
  EXPECT_THAT(rig_.replies(), IsEmpty());
  rig_.loop->advance_ms(5'000);
  EXPECT_EQ(held->asked, 2U);
  held->answer("Yes.");
  rig_.loop->run();
  EXPECT_THAT(rig_.replies(), ElementsAre("Yes."));
}

TEST_F(ReceiptsTest, AnAttemptThatLostItsLeaseCallsNoTool) {
  const auto held = std::make_shared<HeldModel>();
  rig_.models["chat"] = held;
  rig_.start();
  rig_.say("refund A1234567 please");
  std::uint64_t offset = 0;
  const std::vector<Record> records = rig_.records();
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (std::holds_alternative<record::Leased>(records[i]))
      offset = std::get<record::Leased>(records[i]).offset;
  }
  rig_.broker->nack({"flow.f", offset, 1}, Failure{60'000, true, "taken away"},
                    [](const Status& done) { ASSERT_TRUE(done); });
  rig_.loop->run();
  Generated generated;
  generated.finish = Finish::kToolCalls;
  generated.tool_calls = {{"call1", "refund", R"({"order_number":"A1234567"})"}};
  held->done(std::move(generated));
  rig_.loop->run();
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_THAT(rig_.replies(), IsEmpty());
}

// What readers were shown of a draft that has a receipt they are shown again, and how it ended.
TEST_F(ReceiptsTest, ReadersSeeTheSameTextAfterACrash) {
  model_->rejects = true;
  rig_.start();
  Message message = text_message(rig_.input, "refund A1234567 please", "c1");
  message.id = "m1";
  rig_.broker->publish({std::move(message)}, [](const auto& done) { ASSERT_TRUE(done); });
  while (count(steps(rig_), "model.") < 2 && rig_.loop->run(1) > 0) {
  }
  ASSERT_THAT(rig_.replies(), IsEmpty());
  ASSERT_EQ(count(steps(rig_), "model."), 2U);
  const int asked = model_->asked;
  rig_.start();
  std::vector<std::string> drafts(1);
  ASSERT_TRUE(rig_.streams->attach("m1", {}, {[&drafts](const StreamEvent& event) {
                                     if (event.kind == StreamEvent::Kind::kText)
                                       drafts.back() += event.text;
                                     if (event.kind == StreamEvent::Kind::kReset &&
                                         !drafts.back().empty())
                                       drafts.emplace_back();
                                   }}));
  rig_.loop->run();
  EXPECT_THAT(drafts, ElementsAre("退款已经在路上了。", "Your refund is on its way."));
  EXPECT_THAT(rig_.replies(), ElementsAre(drafts.back()));
  EXPECT_LE(model_->asked, asked + 1);  // the draft that has no receipt yet
  EXPECT_THAT(effects_, SizeIs(1));
}

// Another flow asks another question: the old answer does not fit it.
TEST_F(ReceiptsTest, AnotherQuestionIsAskedAnew) {
  const auto held = std::make_shared<HeldModel>();
  rig_.models["chat"] = held;
  rig_.start();
  rig_.say("hello there");
  Generated generated;
  generated.text = "不是英文";  // rejected: the next draft is asked for the reason
  held->done(std::move(generated));
  rig_.loop->run();
  EXPECT_EQ(held->asked, 2U);
  std::string yaml = kFlow;
  yaml.replace(yaml.find("agent.chat"), 10, "agent.talk");
  yaml.replace(yaml.find("  chat:"), 7, "  talk:");
  rig_.folder.write("flow.yaml", yaml);
  rig_.start();
  rig_.loop->run();
  EXPECT_EQ(held->asked, 3U);
  held->answer("Yes.");
  rig_.loop->run();
  EXPECT_THAT(rig_.replies(), ElementsAre("Yes."));
}

// A replay takes even failures from the record and asks nobody.
TEST_F(ReceiptsTest, ARecordedTurnAsksNobody) {
  rig_.options.recorded = true;
  rig_.start();
  rig_.say("refund A1234567 please");
  EXPECT_EQ(model_->asked, 0);
  EXPECT_THAT(effects_, IsEmpty());
  EXPECT_THAT(rig_.replies(), IsEmpty());
  ASSERT_THAT(rig_.events("replay"), SizeIs(1));
  EXPECT_EQ(rig_.events("replay")[0]["missing"], "decision");
}

// -- Replay: the turns of the past, each with a receipt for every step

class ReplayTest : public ReceiptsTest {
 protected:
  ReplayTest() { rig_.with_history = true; }
  std::vector<RecordedTurn> recorded() {
    EXPECT_TRUE(rig_.history->wait_for(rig_.log.bounds().durable, 10'000));
    auto turns = recorded_turns(*rig_.history, rig_.engine->config(), "c1");
    EXPECT_TRUE(turns) << turns.error().message;
    return turns ? std::move(*turns) : std::vector<RecordedTurn>();
  }
  std::vector<ReplayedTurn> replayed(const std::vector<RecordedTurn>& turns,
                                     const ReplayOptions& options = {}) {
    auto done = replay_turns(rig_.engine->config(), turns, options);
    EXPECT_TRUE(done) << done.error().message;
    return done ? std::move(*done) : std::vector<ReplayedTurn>();
  }
};

TEST_F(ReplayTest, RecordedItIsTheSameAndNobodyIsAsked) {
  rig_.start();
  rig_.say("refund A1234567 please");
  model_->rejects = true;
  rig_.say("refund it again please");
  ASSERT_THAT(rig_.replies(), SizeIs(2));
  const int asked = model_->asked;
  const std::size_t called = effects_.size();
  const std::vector<RecordedTurn> turns = recorded();
  ASSERT_THAT(turns, SizeIs(2));
  EXPECT_EQ(turns[0].before->turns, 0);
  EXPECT_EQ(turns[1].before->turns, 1);
  EXPECT_THAT(turns[1].before->messages, SizeIs(2));
  const std::vector<ReplayedTurn> again = replayed(turns);
  ASSERT_THAT(again, SizeIs(2));
  for (const ReplayedTurn& turn : again) {
    EXPECT_FALSE(turn.difference) << turn.difference->at << ": " << turn.difference->now;
    EXPECT_EQ(turn.reply_now, "Your refund is on its way.");
    EXPECT_EQ(turn.decision_now["route"], "all");
  }
  EXPECT_EQ(model_->asked, asked);
  EXPECT_EQ(effects_.size(), called);
}

TEST_F(ReplayTest, WhatWasSaidWhileATurnRanIsTakenWhereItWas) {
  std::string yaml = kFlow;
  yaml.insert(yaml.find("routes:"), "turn: { busy: steer }\n");
  rig_.folder.write("flow.yaml", yaml);
  const auto held = std::make_shared<HeldModel>();
  rig_.models["chat"] = held;
  rig_.start();
  const auto answer = [&](const std::string& words) {
    held->answer(words);
    rig_.loop->run();
  };
  rig_.say("write about tea");
  rig_.say("make it rhyme");
  rig_.say("and keep it short");
  answer("Tea is old.");
  answer("Tea for me.");
  rig_.say("thank you");
  answer("You are welcome.");
  ASSERT_THAT(rig_.replies(), ElementsAre("Tea for me.", "You are welcome."));
  const std::vector<RecordedTurn> turns = recorded();
  ASSERT_THAT(turns, SizeIs(2));
  EXPECT_THAT(turns[0].followers, SizeIs(2));
  EXPECT_THAT(turns[1].before->messages, SizeIs(4));
  const std::vector<ReplayedTurn> again = replayed(turns);
  ASSERT_THAT(again, SizeIs(2));
  for (const ReplayedTurn& turn : again) {
    EXPECT_FALSE(turn.difference) << turn.question << turn.difference->at << ": "
                                  << turn.difference->now;
  }
  EXPECT_EQ(held->asked, 3U);
}

TEST_F(ReplayTest, TheFirstDifferenceIsNamed) {
  rig_.start();
  rig_.say("refund A1234567 please");
  std::vector<RecordedTurn> turns = recorded();
  ASSERT_THAT(turns, SizeIs(1));
  turns[0].reply->parts[0].data = "Something else.";
  std::vector<ReplayedTurn> again = replayed(turns);
  ASSERT_THAT(again, SizeIs(1));
  ASSERT_TRUE(again[0].difference);
  EXPECT_THAT(again[0].difference->at, HasSubstr("/reply"));
  EXPECT_THAT(again[0].difference->then, HasSubstr("Something else."));
  EXPECT_THAT(again[0].difference->now, HasSubstr("Your refund is on its way."));

  std::erase_if(turns[0].receipts, [](const auto& one) { return one.step == "model.2"; });
  again = replayed(turns);
  ASSERT_TRUE(again.at(0).difference);
  EXPECT_EQ(again[0].difference->at, "/model.2");
}

TEST_F(ReplayTest, TurnsThatFailedAreTheSameToo) {
  const auto held = std::make_shared<HeldModel>();
  rig_.models["chat"] = held;
  rig_.start();
  rig_.say("hello there");
  held->done(Error{Code::kModelFailed, "it broke"});
  rig_.loop->run();
  rig_.say("are you there");  // its time ends
  rig_.loop->advance_ms(31'000);
  rig_.say("never mind");
  rig_.engine->cancel(rig_.last_id);
  rig_.loop->run();
  ASSERT_THAT(rig_.replies(), ElementsAre("No.", "No."));
  const std::vector<ReplayedTurn> again = replayed(recorded());
  ASSERT_THAT(again, SizeIs(3));
  for (const ReplayedTurn& turn : again) {
    EXPECT_FALSE(turn.difference) << turn.question << turn.difference->at << ": "
                                  << turn.difference->now;
  }
  EXPECT_EQ(again[2].reply_now, "");
}

TEST_F(ReplayTest, LiveTheModelIsAskedAndToolsAreNot) {
  rig_.start();
  rig_.say("refund A1234567 please");
  const std::vector<RecordedTurn> turns = recorded();
  const int asked = model_->asked;
  ReplayOptions options;
  options.live = true;
  options.models = rig_.models;
  const std::vector<ReplayedTurn> again = replayed(turns, options);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].reply_now, "Your refund is on its way.");
  EXPECT_EQ(model_->asked, asked + 2);
  EXPECT_THAT(effects_, SizeIs(1));
}

}  // namespace
}  // namespace qiao
