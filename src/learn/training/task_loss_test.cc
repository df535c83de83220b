// SPDX-License-Identifier: Apache-2.0
#include "learn/training/task_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learn/data/examples.h"
#include "learn/testing/tiny_encoder.h"

namespace qiao::learn {
namespace {

const Labels& two_heads() {
  static const Labels labels =
      Labels::of_heads({{"mood", Labels({"calm", "angry"})}, {"topic", Labels({"a", "b", "c"})}});
  return labels;
}

// By hand: the mood of both rows is told with chance 1/2 and 3/4, the topic of the first with 1/3.
TEST(HeadsLoss, IsTheMeanOfTheHeadsEachOverItsOwnRows) {
  const float log3 = std::log(3.0F);
  const torch::Tensor scores = torch::tensor({0.0F, 0.0F, 1.0F, 1.0F, 1.0F,  //
                                              log3, 0.0F, 9.0F, 0.0F, 0.0F})
                                   .view({2, 5});
  const torch::Tensor targets =
      torch::tensor({0, 2, 0, static_cast<int>(kNoTarget)}, torch::kLong).view({2, 2});
  const double mood = (std::log(2.0) + std::log(4.0 / 3)) / 2;
  EXPECT_NEAR(heads_loss(scores, targets, two_heads().heads(), {}).item<double>(),
              (mood + std::log(3.0)) / 2, 1e-6);
}

// A row without a label for a head moves none of its scores, and a head that no row has a label for
// does not make the loss of the others smaller.
TEST(HeadsLoss, WhatIsMissingTeachesNothing) {
  torch::manual_seed(1);
  const torch::Tensor scores = torch::randn({3, 5}).set_requires_grad(true);
  const auto none = static_cast<std::int64_t>(kNoTarget);
  const torch::Tensor targets =
      torch::tensor(std::vector<std::int64_t>{1, none, none, 2, none, none}).view({3, 2});
  heads_loss(scores, targets, two_heads().heads(), {0.1, {}}).backward();
  const torch::Tensor moved = scores.grad().abs().gt(0);
  EXPECT_TRUE(moved[0].narrow(0, 0, 2).all().item<bool>());
  EXPECT_FALSE(moved[0].narrow(0, 2, 3).any().item<bool>());
  EXPECT_FALSE(moved[1].narrow(0, 0, 2).any().item<bool>());
  EXPECT_TRUE(moved[1].narrow(0, 2, 3).all().item<bool>());
  EXPECT_FALSE(moved[2].any().item<bool>());

  const torch::Tensor moods = targets.clone();
  moods.select(1, 1).fill_(none);
  const torch::Tensor plain = scores.detach().narrow(1, 0, 2);
  EXPECT_FLOAT_EQ(heads_loss(scores, moods, two_heads().heads(), {}).item<float>(),
                  label_loss(plain, moods.select(1, 0), {}).item<float>());
}

TEST(HeadsLoss, WeightsAreThoseOfTheHead) {
  const torch::Tensor scores = torch::tensor({0.0F, 1.0F, 0.0F, 0.0F, 0.0F,  //
                                              0.0F, 1.0F, 0.0F, 0.0F, 2.0F})
                                   .view({2, 5});
  const torch::Tensor targets = torch::tensor(std::vector<std::int64_t>{0, 0, 1, 2}).view({2, 2});
  const torch::Tensor weights = torch::tensor({1.0F, 3.0F, 1.0F, 1.0F, 7.0F});
  const auto of_head = [&](std::int64_t head, std::int64_t begin, std::int64_t size) {
    return label_loss(scores.narrow(1, begin, size), targets.select(1, head),
                      {0, weights.narrow(0, begin, size)})
        .item<double>();
  };
  EXPECT_NEAR(heads_loss(scores, targets, two_heads().heads(), {0, weights}).item<double>(),
              (of_head(0, 0, 2) + of_head(1, 2, 3)) / 2, 1e-6);
}

// A bundle of which the task, the labels and the deviation of numbers count.
Bundle bundle_of(Task task, const Labels& labels) {
  const EncoderShape shape = testing::tiny_encoder_shape();
  auto tokenizer =
      model::WordPiece::make({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}, {}).value();
  return {shape,  task,
          4,      std::move(tokenizer),
          labels, TextModel(shape, task, static_cast<std::int64_t>(labels.size()), 0),
          {}};
}

// By hand, of (3/4, 1/4) wanted and (1/2, 1/2) given: ln 3/2 · 3/4 + ln 1/2 · 1/4.
const double kApart = 0.75 * std::log(1.5) + 0.25 * std::log(0.5);

TEST(AnswersApart, OfLabelsIsTheMeanOverRowsOfSoftenedScores) {
  const Bundle bundle = bundle_of(Task::kClassify, Labels({"x", "y"}));
  const float log9 = std::log(9.0F);
  const torch::Tensor wanted = torch::tensor({log9, 0.0F, 1.0F, 1.0F}).view({2, 2});
  const torch::Tensor given = torch::zeros({2, 2});
  EXPECT_NEAR(answers_apart(bundle, wanted, given, {}, 2).item<double>(), kApart / 2, 1e-6);
  EXPECT_NEAR(answers_apart(bundle, wanted, wanted, {}, 2).item<double>(), 0, 1e-6);
}

TEST(AnswersApart, OfHeadsIsTheirMeanAndOfTagsThatOfTaggedPieces) {
  const Bundle heads = bundle_of(Task::kHeads, two_heads());
  const float log3 = std::log(3.0F);
  const torch::Tensor wanted = torch::tensor({log3, 0.0F, 5.0F, 5.0F, 5.0F}).view({1, 5});
  EXPECT_NEAR(answers_apart(heads, wanted, torch::zeros({1, 5}), {}, 1).item<double>(), kApart / 2,
              1e-6);
  const Bundle tags = bundle_of(Task::kTag, Labels({"O", "B-x"}));
  const torch::Tensor pieces = torch::tensor({9.0F, 0.0F, log3, 0.0F, 0.0F, 0.0F}).view({1, 3, 2});
  const torch::Tensor targets = torch::tensor({int(kNoTarget), 1, 0}, torch::kLong).view({1, 3});
  EXPECT_NEAR(answers_apart(tags, pieces, torch::zeros({1, 3, 2}), targets, 1).item<double>(),
              kApart / 2, 1e-6);
}

TEST(AnswersApart, OfNumbersIsInDeviations) {
  Bundle numbers = bundle_of(Task::kRegress, Labels({kNumberLabel}));
  numbers.model->set_scale(100, 10);
  const torch::Tensor wanted = torch::tensor({100.0F, 120.0F}).view({2, 1});
  const torch::Tensor given = torch::tensor({110.0F, 100.0F}).view({2, 1});
  EXPECT_NEAR(answers_apart(numbers, wanted, given, {}, 3).item<double>(), (1.0 + 4.0) / 2, 1e-6);
  EXPECT_TRUE(has_target(Task::kRegress, {}));
  EXPECT_FALSE(has_target(Task::kClassify, torch::full({2}, kNoTarget, torch::kLong)));
}

// A head that has learnt goes on telling the same numbers in another scale.
TEST(TextModel, KeepsWhatItTellsInAnotherScale) {
  Bundle numbers = bundle_of(Task::kRegress, Labels({kNumberLabel}));
  const torch::NoGradGuard no_grad;
  numbers.model->eval();
  const torch::Tensor ids = torch::tensor({{2, 1, 3}});
  const torch::Tensor present = torch::ones({1, 3}, torch::kBool);
  const float before = numbers.model(ids, present).item<float>();
  numbers.model->set_scale(5, 2, true);
  EXPECT_NEAR(numbers.model(ids, present).item<float>(), before, 1e-5);
  numbers.model->set_scale(-1, 4, true);
  EXPECT_NEAR(numbers.model(ids, present).item<float>(), before, 1e-5);
}

}  // namespace
}  // namespace qiao::learn
