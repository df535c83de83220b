// SPDX-License-Identifier: Apache-2.0
#include "understand/trained_heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/testing/temp_folder.h"
#include "model/testing/tiny_bundle.h"
#include "understand/testing/fake_head_encoder.h"
#include "understand/testing/shop.h"
#include "understand/understander.h"

namespace qiao {
namespace {

using testing::FakeHeadEncoder;
using testing::TempFolder;
using testing::TinyBundle;
using testing::write_tiny_bundle;

// Bundles whose encoder is a fake that answers when told to; what is tested is what becomes of
// their answers.
class TrainedHeadsTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Classifier> load(const TinyBundle& bundle, const std::string& version,
                                         std::shared_ptr<FakeHeadEncoder>* encoder = nullptr) {
    const std::string path = folder_ / version;
    write_tiny_bundle(path, bundle);
    auto head = TextHead::read(path, path + "/model.safetensors");
    EXPECT_TRUE(head) << head.error().message;
    auto fake = std::make_shared<FakeHeadEncoder>(head->pooling() == "none");
    if (encoder != nullptr) *encoder = fake;
    return std::make_shared<const Classifier>("intents", version, std::move(*head), fake);
  }
  static Annotations annotate(std::vector<HeadSpec> heads, const std::string& text) {
    UnderstandSpec spec;
    spec.intents["goodbye"] = {"goodbye", "see you"};
    spec.intents["refund"] = {"give it back"};
    spec.heads = std::move(heads);
    const auto made = Understander::make(std::move(spec), {});
    EXPECT_TRUE(made) << made.error().message;
    return testing::annotate_and_wait(**made, text);
  }

  const TinyBundle intents_{{"order", "refund"}, {{"money", "refund"}, {"parcel", "order"}}};
  TempFolder folder_;
};

TEST_F(TrainedHeadsTest, IntentsStandBesideThoseOfExamples) {
  const auto slot = std::make_shared<BundleSlot>("intents", load(intents_, "v1"));
  const Annotations seen = annotate({{"intent", slot, {}}}, "my money please");
  ASSERT_EQ(seen.intents.size(), 3U);
  EXPECT_EQ(seen.intents[0].label, "refund");
  EXPECT_GT(seen.intents[0].score, 0.8);
  EXPECT_EQ(seen.bundles.at("intent"), "intents@v1");
  EXPECT_EQ(annotate({{"intent", slot, {}}}, "goodbye").intents[0].label, "goodbye");
}

TEST_F(TrainedHeadsTest, SentimentAndOthersByTheFlowsNames) {
  const auto slot = std::make_shared<BundleSlot>("intents", load(intents_, "v1"));
  const Annotations seen = annotate(
      {{"sentiment", slot, {{"refund", "negative"}, {"order", "neutral"}}}, {"topic", slot, {}}},
      "money");
  EXPECT_EQ(seen.sentiment, "negative");
  EXPECT_GT(seen.sentiment_score, 0.8);
  EXPECT_EQ(seen.heads.at("topic").front().label, "refund");
  EXPECT_THAT(seen.missing, ::testing::Not(::testing::Contains("sentiment")));
  EXPECT_EQ(to_json(seen)["bundles"]["topic"], "intents@v1");
}

// Three heads of a flow by one bundle of two: one pass of the encoder answers them all.
TEST_F(TrainedHeadsTest, SeveralHeadsOfABundleShareAPass) {
  const TinyBundle desk{{},
                        {{"money", "refund angry"}, {"parcel", "order calm"}},
                        "heads",
                        8,
                        Json::object(),
                        {{"intent", {"order", "refund"}}, {"mood", {"angry", "calm"}}}};
  std::shared_ptr<FakeHeadEncoder> encoder;
  const auto slot = std::make_shared<BundleSlot>("desk", load(desk, "v1", &encoder));
  const Annotations seen = annotate({{"intent", slot, {}},
                                     {"sentiment", slot, {{"angry", "negative"}}, true, "mood"},
                                     {"temper", slot, {}, true, "mood"}},
                                    "money");
  EXPECT_EQ(encoder->passes(), 1);
  EXPECT_EQ(seen.intents.front().label, "refund");
  EXPECT_EQ(seen.sentiment, "negative");
  EXPECT_EQ(seen.heads.at("temper").front().label, "angry");
  EXPECT_GT(seen.heads.at("temper").front().score, 0.8);
  EXPECT_EQ(seen.bundles.size(), 3U);
  encoder->fail(true);
  const Annotations failed = annotate({{"intent", slot, {}}, {"mood", slot, {}}}, "money");
  EXPECT_THAT(failed.missing, ::testing::IsSupersetOf({"intent", "mood"}));
}

TEST_F(TrainedHeadsTest, ATaggerFindsEntities) {
  const TinyBundle places{{"O", "B-LOC", "I-LOC"}, {{"in", "O"}, {"paris", "B-LOC"}}, "tag"};
  const auto slot = std::make_shared<BundleSlot>("places", load(places, "v1"));
  const Annotations seen = annotate({{"place", slot, {{"LOC", "city"}}}}, "in Paris 2026-01-05");
  ASSERT_EQ(seen.entities.size(), 2U);
  EXPECT_EQ(seen.entities[0].kind, "city");
  EXPECT_EQ(seen.entities[0].text, "Paris");
  EXPECT_EQ(seen.entities[1].kind, "date");
}

TEST_F(TrainedHeadsTest, AFailingBundleIsMissingAndTheRestStands) {
  std::shared_ptr<FakeHeadEncoder> encoder;
  const auto slot = std::make_shared<BundleSlot>("intents", load(intents_, "v1", &encoder));
  encoder->fail(true);
  const Annotations seen = annotate({{"intent", slot, {}}}, "goodbye");
  EXPECT_EQ(seen.intents[0].label, "goodbye");
  EXPECT_THAT(seen.missing, ::testing::Contains("intent"));
  EXPECT_TRUE(seen.bundles.empty());
}

// The answer of a question that was asked before the swap comes from the old version, what is
// asked after it from the new one, and swap() ends when the old one has answered.
TEST_F(TrainedHeadsTest, ASwapWaitsForWhatWasAsked) {
  std::shared_ptr<FakeHeadEncoder> old_encoder;
  const auto slot = std::make_shared<BundleSlot>("intents", load(intents_, "old", &old_encoder));
  const std::weak_ptr<const Classifier> old = slot->current();
  old_encoder->hold(true);
  std::vector<std::string> answers;
  const auto keep = [&](const Result<Judged>& judged) {
    answers.push_back(judged ? judged->id : "");
  };
  slot->judge({"money"}, keep);
  std::promise<void> swapped;
  std::thread swapper([&] {
    slot->swap(load({{"order", "refund"}, {{"money", "order"}}}, "new"));
    swapped.set_value();
  });
  while (slot->current()->version() != "new") std::this_thread::yield();
  slot->judge({"money"}, keep);
  EXPECT_EQ(answers, std::vector<std::string>{"intents@new"});
  EXPECT_FALSE(old.expired());
  old_encoder->release();
  swapper.join();
  swapped.get_future().get();
  EXPECT_EQ(answers, (std::vector<std::string>{"intents@new", "intents@old"}));
  EXPECT_TRUE(old.expired());
}

// Many threads ask while versions change: every question is answered, by one version as a whole.
TEST_F(TrainedHeadsTest, NoQuestionIsLostWhileVersionsChange) {
  const auto slot = std::make_shared<BundleSlot>("intents", load(intents_, "v0"));
  constexpr int kQuestions = 4'000;
  std::atomic<int> right{0};
  std::atomic<bool> swapping{true};
  const auto ask = [&] {
    for (int i = 0; i < kQuestions; ++i) {
      slot->judge({"money"}, [&](const Result<Judged>& judged) {
        if (!judged) return;
        const bool even = judged->id.back() % 2 == 0;
        if (judged->answer.labels.front().label == (even ? "refund" : "order")) ++right;
      });
    }
  };
  std::thread first(ask);
  std::thread second(ask);
  std::thread swapper([&] {
    for (int i = 1; swapping; ++i) {
      const std::string version = "v" + std::to_string(i % 10);
      slot->swap(load(
          i % 2 == 0 ? intents_
                     : TinyBundle{{"order", "refund"}, {{"money", "order"}, {"parcel", "refund"}}},
          version));
    }
  });
  first.join();
  second.join();
  swapping = false;
  swapper.join();
  EXPECT_EQ(right, 2 * kQuestions);
}

}  // namespace
}  // namespace qiao
