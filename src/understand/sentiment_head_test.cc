// SPDX-License-Identifier: Apache-2.0
#include "understand/sentiment_head.h"

#include <gtest/gtest.h>

#include <numeric>

#include "model/scripted_model.h"
#include "understand/testing/fake_encoder.h"
#include "understand/train_layer.h"

namespace qiao {
namespace {

constexpr std::size_t kSize = 16;

// A vector with 1 at `at`.
std::vector<float> axis(std::size_t at) {
  std::vector<float> vector(kSize, 0);
  vector[at] = 1;
  return vector;
}

// Negative looks at number 0, neutral at 1, positive at 2.
SentimentHead head(std::vector<float> probe_vector = axis(3)) {
  std::vector<std::vector<float>> weights = {axis(0), axis(1), axis(2)};
  for (auto& row : weights) {
    for (float& weight : row) weight *= 8;
  }
  return SentimentHead(
      LinearHead({"toy", "probe", std::move(probe_vector)}, {weights, {0, 0.5F, 0}}));
}

std::string json_of(const SentimentHead& from) {
  std::vector<std::vector<float>> weights = {axis(0), axis(1), axis(2)};
  for (auto& row : weights) {
    for (float& weight : row) weight *= 8;
  }
  return head_json(from.card(), {{"text", "toy"}}, kSentiments, {weights, {0, 0.5F, 0}});
}

TEST(SentimentHead, NamesTheMostProbable) {
  for (std::size_t i = 0; i < kSentiments.size(); ++i) {
    const auto judged = head().judge(axis(i));
    ASSERT_TRUE(judged);
    EXPECT_EQ(judged->label, kSentiments[i]);
    EXPECT_GT(judged->score, 0.9);
  }
  const auto chances = head().chances(axis(5));
  EXPECT_NEAR(std::accumulate(chances.begin(), chances.end(), 0.0), 1, 1e-9);
  EXPECT_EQ(head().judge(axis(5))->label, "neutral");
}

TEST(SentimentHead, AVectorOfAnotherSizeIsNotJudged) {
  EXPECT_FALSE(head().judge(std::vector<float>(kSize + 1, 0.1F)));
  EXPECT_FALSE(head().judge({}));
}

TEST(SentimentHead, ReadsWhatItWrote) {
  const auto read = SentimentHead::parse(json_of(head()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->card().encoder, "toy");
  for (std::size_t i = 0; i < kSize; ++i) {
    EXPECT_NEAR(read->judge(axis(i))->score, head().judge(axis(i))->score, 0.02);
  }
}

TEST(SentimentHead, RefusesFilesThatAreNotWhole) {
  Json whole = *parse_json(json_of(head()));
  for (const char* key : {"size", "step", "biases", "probe_vector", "neutral"}) {
    Json without = whole;
    without.erase(key);
    const auto read = SentimentHead::parse(dump_json(without));
    ASSERT_FALSE(read) << key;
    EXPECT_NE(read.error().message.find(key), std::string::npos);
  }
  whole["size"] = 1'000'000'000;
  EXPECT_FALSE(SentimentHead::parse(dump_json(whole)));
  whole["size"] = kSize;
  whole["negative"][0] = "x";
  EXPECT_FALSE(SentimentHead::parse(dump_json(whole)));
  EXPECT_FALSE(SentimentHead::parse("[]"));
  EXPECT_FALSE(SentimentHead::parse("{"));
}

TEST(SentimentHead, FitsOnlyItsEncoder) {
  const auto answers = [](std::vector<float> vector) {
    return testing::FakeEncoder([vector](const std::vector<std::string>&) -> Result<Embeddings> {
      return Embeddings{vector};
    });
  };
  auto same = answers(axis(3));
  auto other = answers(axis(4));
  auto longer = answers(std::vector<float>(kSize + 1, 0));
  testing::FakeEncoder broken(
      [](const std::vector<std::string>&) -> Result<Embeddings> { return unavailable("gone"); });
  EXPECT_TRUE(head().fits(same));
  EXPECT_FALSE(head().fits(other));
  EXPECT_FALSE(head().fits(longer));
  EXPECT_FALSE(head().fits(broken));
}

TEST(SentimentHead, TheOnesInTheProgramAreWhole) {
  for (const Language language : {Language::kChinese, Language::kEnglish}) {
    const auto builtin = SentimentHead::builtin(language);
    ASSERT_TRUE(builtin) << builtin.error().message;
    EXPECT_FALSE(builtin->card().encoder.empty());
    ScriptedModel scripted({});
    EXPECT_FALSE(builtin->fits(scripted)) << "hashed bigrams are not its encoder's vectors";
  }
}

// Three classes on a line that no single threshold separates, far from the origin.
TrainingSet three_clusters() {
  TrainingSet set;
  for (int i = 0; i < 60; ++i) {
    std::vector<float> vector(kSize, 0.2F);
    const auto label = static_cast<std::size_t>(i % 3);
    vector[0] = 5 + static_cast<float>(label);
    vector[1] = static_cast<float>(i % 7) * 0.05F;
    set.vectors.push_back(vector);
    set.labels.push_back(label);
    set.weights.push_back(1);
  }
  return set;
}

TEST(TrainLayer, LearnsWhatCanBeLearned) {
  const TrainingSet set = three_clusters();
  const LinearLayer layer = train_layer(set, 3, {1e-5, 600});
  const SentimentHead trained(LinearHead({"toy", "", {}}, layer));
  for (std::size_t i = 0; i < set.vectors.size(); ++i) {
    EXPECT_EQ(trained.judge(set.vectors[i])->label, kSentiments[set.labels[i]]) << i;
  }
}

TEST(TrainLayer, IsTheSameEachTime) {
  const TrainingSet set = three_clusters();
  EXPECT_EQ(train_layer(set, 3).weights, train_layer(set, 3).weights);
}

TEST(TrainLayer, MorePenaltyMakesItLessSure) {
  const TrainingSet set = three_clusters();
  const auto sure = [&](double l2) {
    const LinearLayer layer = train_layer(set, 3, {l2, 400});
    return LinearHead({"toy", "", {}}, layer).chances(set.vectors[0])[0];
  };
  EXPECT_GT(sure(1e-4), sure(1e-1) + 0.1);
}

TEST(TrainLayer, WeightsOfRowsCount) {
  TrainingSet set;  // the same vector, told both ways
  for (int i = 0; i < 2; ++i) set.vectors.push_back(axis(0));
  set.labels = {0, 2};
  set.weights = {3, 1};
  const LinearLayer layer = train_layer(set, 3, {1e-3, 800});
  const auto chances = LinearHead({"toy", "", {}}, layer).chances(axis(0));
  EXPECT_NEAR(chances[0], 0.75, 0.03);
}

}  // namespace
}  // namespace qiao
