// SPDX-License-Identifier: Apache-2.0
#include "learn/training/contrast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "learn/data/examples.h"

namespace qiao::learn {
namespace {

// By hand: of each text, the mean over its partners of -log softmax of the cosines over 0.1.
TEST(ContrastLoss, IsThatOfThePaper) {
  const torch::Tensor vectors = torch::tensor({{2.0, 0.0}, {1.0, 1.0}, {0.0, 3.0}, {1.0, 0.0}});
  const torch::Tensor labels = torch::tensor({0, 0, 1, 2}, torch::kLong);
  const double near = std::exp(std::sqrt(0.5) / 0.1);  // of 45 degrees
  const double same = std::exp(1 / 0.1);
  const double first = -std::log(near / (near + 1 + same));
  const double second = -std::log(near / (near + near + near));
  EXPECT_NEAR(contrast_loss(vectors, labels).item<double>(), (first + second) / 2, 1e-5);
}

TEST(ContrastLoss, OneTextOfEachLabelTeachesNothing) {
  torch::Tensor vectors = torch::eye(3).set_requires_grad(true);
  const torch::Tensor loss = contrast_loss(vectors, torch::arange(3));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(vectors.grad().abs().sum().item<double>(), 0);
}

TEST(PlanPairs, EachTextStandsBesideOneOfItsLabel) {
  std::vector<Example> examples;
  for (const std::int64_t label : {0, 0, 0, 1, 1, 2}) {
    Example& example = examples.emplace_back();
    example.text.ids = {1, 2, 3};
    example.targets = {label};
  }
  std::vector<std::size_t> firsts;
  const auto batches = plan_pairs(examples, 4, 100, 7);
  EXPECT_EQ(batches, plan_pairs(examples, 4, 100, 7));
  EXPECT_NE(batches, plan_pairs(examples, 4, 100, 8));
  for (const auto& batch : batches) {
    ASSERT_LE(batch.size(), 4U);
    for (std::size_t i = 0; i < batch.size(); i += 2) {
      firsts.push_back(batch[i]);
      EXPECT_EQ(examples[batch[i]].targets, examples[batch[i + 1]].targets);
      EXPECT_EQ(batch[i] == batch[i + 1], batch[i] == 5);
    }
  }
  std::sort(firsts.begin(), firsts.end());
  EXPECT_EQ(firsts, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(plan_pairs(examples, 100, 12, 7).size(), 3U);  // bounded by tokens
}

}  // namespace
}  // namespace qiao::learn
