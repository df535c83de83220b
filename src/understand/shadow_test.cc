// SPDX-License-Identifier: Apache-2.0
#include "understand/shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/testing/temp_folder.h"
#include "model/testing/tiny_bundle.h"
#include "understand/bundle_slot.h"
#include "understand/testing/fake_head_encoder.h"
#include "understand/trained_heads.h"

namespace qiao {
namespace {

using testing::FakeHeadEncoder;
using ::testing::HasSubstr;
using testing::TempFolder;
using testing::TinyBundle;
using testing::write_tiny_bundle;

// A served version that reads "money" as a refund, and a candidate that reads it as an order; both
// read "parcel" as an order. Their encoders answer when told to.
class ShadowTest : public ::testing::Test {
 protected:
  ShadowTest()
      : slot_("intents", load("old", "refund", current_)),
        candidate_(load("new", "order", fake_)) {}

  std::shared_ptr<const Classifier> load(const std::string& version, const std::string& money,
                                         std::shared_ptr<FakeHeadEncoder>& encoder) const {
    const std::string path = folder_ / version;
    write_tiny_bundle(path, {{"order", "refund"}, {{"money", money}, {"parcel", "order"}}});
    auto head = TextHead::read(path, path + "/model.safetensors");
    EXPECT_TRUE(head) << head.error().message;
    encoder = std::make_shared<FakeHeadEncoder>(false);
    return std::make_shared<const Classifier>("intents", version, std::move(*head), encoder);
  }
  void shadow(int percent = 100) {
    const Shadow::Options options{"intents", "new", percent, {{"bundle", "intents"}}};
    slot_.set_shadow(
        std::make_shared<Shadow>(options, candidate_, Shadow::make_thread(), clock_, metrics_));
  }
  // What the message gets.
  std::string ask(const std::string& text, const std::string& id) const {
    std::string label = "no answer";
    slot_.judge({text, id}, [&](const Result<Judged>& judged) {
      label = judged ? judged->answer.labels.front().label : "fault";
    });
    return label;
  }
  // The report, once `done` holds of it.
  template <class Done>
  Json report_when(Done done) const {
    Json report;
    for (int i = 0; i < 20'000; ++i) {
      report = slot_.shadow()->report();
      if (done(report)) return report;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << dump_json(report);
    return report;
  }
  Json compared(int count) const {
    return report_when([&](const Json& report) { return report["compared"] == count; });
  }
  void wait_until_held(std::size_t count) const {
    for (int i = 0; i < 20'000 && fake_->held() < count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_EQ(fake_->held(), count);
  }

  const SystemClock clock_;
  Metrics metrics_;
  TempFolder folder_;
  std::shared_ptr<FakeHeadEncoder> current_;
  std::shared_ptr<FakeHeadEncoder> fake_;
  BundleSlot slot_;
  std::shared_ptr<const Classifier> candidate_;
};

TEST_F(ShadowTest, ComparesWhatBothSayAndTheMessageGetsTheServedAnswer) {
  shadow();
  EXPECT_EQ(ask("money", "m1"), "refund");
  EXPECT_EQ(ask("parcel", "m2"), "order");
  const Json report = compared(2);
  EXPECT_EQ(report["bundle"], "intents");
  EXPECT_EQ(report["agreement"], 0.5);
  const Json pair = {
      {"current", "refund"}, {"candidate", "order"}, {"count", 1}, {"message", "m1"}};
  EXPECT_EQ(report["disagreements"], Json::array({pair}));
  EXPECT_FALSE(report["candidate"]["p50_ms"].is_null());
  const std::string figures = metrics_.text();
  EXPECT_THAT(figures, HasSubstr("qiao_shadow_compared_total{bundle=\"intents\"} 2"));
  EXPECT_THAT(figures, HasSubstr("qiao_shadow_agreed_total{bundle=\"intents\"} 1"));
  EXPECT_THAT(figures, HasSubstr("qiao_shadow_skipped_total{bundle=\"intents\"} 0"));
}

// A candidate that hangs: messages get their answers at once, and what no longer fits is skipped.
TEST_F(ShadowTest, ASlowCandidateHoldsNobodyUp) {
  fake_->hold(true);
  shadow();
  EXPECT_EQ(ask("money", "first"), "refund");
  wait_until_held(1);
  constexpr std::size_t kTooMany = 3;
  for (std::size_t i = 0; i < Shadow::kWaitingMax + kTooMany; ++i) {
    EXPECT_EQ(ask("money", "m" + std::to_string(i)), "refund");
  }
  EXPECT_EQ(slot_.shadow()->report()["skipped"], kTooMany);
  EXPECT_EQ(slot_.shadow()->report()["compared"], 0);
  fake_->hold(false);
  fake_->release();
  EXPECT_EQ(compared(1 + static_cast<int>(Shadow::kWaitingMax))["skipped"], kTooMany);
  EXPECT_THAT(metrics_.text(), HasSubstr("qiao_shadow_skipped_total{bundle=\"intents\"} 3"));
}

TEST_F(ShadowTest, AFailingCandidateIsCountedAndNothingElse) {
  fake_->fail(true);
  shadow();
  EXPECT_EQ(ask("money", "m1"), "refund");
  const Json report = report_when([](const Json& now) { return now["failed"] == 1; });
  EXPECT_EQ(report["failure"], "gone");
  EXPECT_EQ(report["compared"], 0);
  EXPECT_THAT(metrics_.text(), HasSubstr("qiao_shadow_failed_total{bundle=\"intents\"} 1"));
  fake_->fail(false);
  EXPECT_EQ(ask("money", "m2"), "refund");
  EXPECT_EQ(compared(1)["failed"], 1);
}

TEST_F(ShadowTest, WhereTheServedVersionFailsThereIsNothingToCompare) {
  current_->fail(true);
  shadow();
  EXPECT_EQ(ask("money", "m1"), "fault");
  EXPECT_EQ(slot_.shadow()->report()["skipped"], 1);
}

TEST_F(ShadowTest, TakesItsShareByIdAndNothingThatIsNoMessage) {
  shadow(30);
  constexpr int kMessages = 2'000;
  for (int i = 0; i < kMessages; ++i) {
    const std::string id = "m" + std::to_string(i);
    for (int head = 0; head < 2; ++head) ask("money", id);
    ask("money", "");
  }
  // Each of them is compared or skipped: stop() would forget those that wait.
  const auto taken_of = [](const Json& now) {
    return now["compared"].get<int>() + now["skipped"].get<int>();
  };
  int chosen = 0;
  for (int i = 0; i < kMessages; ++i) {
    chosen += std::hash<std::string_view>{}("m" + std::to_string(i)) % 100 < 30 ? 2 : 0;
  }
  const int taken = taken_of(report_when([&](const Json& now) { return taken_of(now) >= chosen; }));
  EXPECT_EQ(taken, chosen);
  EXPECT_NEAR(taken, 2 * kMessages * 30 / 100, 2 * kMessages * 5 / 100);
}

TEST_F(ShadowTest, AReplayIsNotHeard) {
  shadow();
  const auto slot = std::shared_ptr<BundleSlot>(&slot_, [](BundleSlot*) {});
  const auto ask_heads = [&](bool live, const std::string& id) {
    TrainedHeads({{"intent", slot, {}, live}}).ask({"money", id}, [](const Annotations&) {})({});
  };
  ask_heads(false, "replayed");
  ask_heads(true, "live");
  const Json report = compared(1);
  EXPECT_EQ(report["disagreements"][0]["message"], "live");
}

// A swap ends the shadow: what it compared with is no longer served.
TEST_F(ShadowTest, EndsWithTheVersionItIsComparedWithAndLetsTheCandidateGo) {
  shadow();
  EXPECT_EQ(ask("money", "m1"), "refund");
  compared(1);
  const std::shared_ptr<Shadow> ended = slot_.shadow();
  const std::weak_ptr<const Classifier> loaded = candidate_;
  candidate_.reset();
  EXPECT_FALSE(loaded.expired());
  std::shared_ptr<FakeHeadEncoder> next;
  slot_.swap(load("next", "refund", next));
  EXPECT_EQ(slot_.shadow(), nullptr);
  EXPECT_TRUE(loaded.expired());
  EXPECT_EQ(ask("money", "m2"), "refund");
  EXPECT_EQ(ended->report()["compared"], 1);
}

// What was asked before the end is answered, and a stopped shadow takes no more.
TEST_F(ShadowTest, EndsWhileAnswersAreUnderWay) {
  shadow();
  current_->hold(true);
  std::string label;
  slot_.judge({"money", "m1"}, [&](const Result<Judged>& judged) {
    label = judged ? judged->answer.labels.front().label : "fault";
  });
  const std::shared_ptr<Shadow> ended = slot_.shadow();
  slot_.set_shadow(nullptr);
  current_->release();
  EXPECT_EQ(label, "refund");
  EXPECT_EQ(ended->report()["compared"], 0);
  current_->hold(false);
  EXPECT_EQ(ask("parcel", "m2"), "order");
}

}  // namespace
}  // namespace qiao
