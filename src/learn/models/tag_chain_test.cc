// SPDX-License-Identifier: Apache-2.0
#include "learn/models/tag_chain.h"

#include <gtest/gtest.h>

#include "learn/data/examples.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kTags = 3;

torch::Tensor random(at::IntArrayRef sizes) {
  return torch::randn(sizes, torch::kDouble).set_requires_grad(true);
}

// Two rows: [CLS] a b c [SEP], and [CLS] a [SEP] with padding.
torch::Tensor targets() {
  return torch::tensor({{kNoTarget, std::int64_t{0}, std::int64_t{2}, std::int64_t{1}, kNoTarget},
                        {kNoTarget, std::int64_t{1}, kNoTarget, kNoTarget, kNoTarget}});
}

// Every sequence of three tags, one by one.
double loss_by_counting(const torch::Tensor& scores, const torch::Tensor& transitions) {
  const auto score = [&](std::int64_t row, std::int64_t at, std::int64_t tag) {
    return scores[row][at][tag].item<double>();
  };
  const auto step = [&](std::int64_t before, std::int64_t tag) {
    return transitions[before][tag].item<double>();
  };
  const auto way = [&](std::int64_t a, std::int64_t b, std::int64_t c) {
    return score(0, 1, a) + step(a, b) + score(0, 2, b) + step(b, c) + score(0, 3, c);
  };
  double all = 0;
  for (std::int64_t i = 0; i < kTags * kTags * kTags; ++i) {
    all += std::exp(way(i / 9, i / 3 % 3, i % 3));
  }
  double one = 0;
  for (std::int64_t tag = 0; tag < kTags; ++tag) one += std::exp(score(1, 1, tag));
  return (std::log(all) - way(0, 2, 1) + std::log(one) - score(1, 1, 1)) / 4;
}

TEST(ChainLoss, IsThatOfAllSequencesCounted) {
  torch::manual_seed(1);
  const torch::Tensor scores = random({2, 5, kTags});
  const torch::Tensor transitions = random({kTags, kTags});
  EXPECT_NEAR(chain_loss(scores, targets(), transitions).item<double>(),
              loss_by_counting(scores, transitions), 1e-12);
}

// With no transitions the pieces are independent: the loss is the cross-entropy.
TEST(ChainLoss, WithoutTransitionsIsTheCrossEntropy) {
  torch::manual_seed(2);
  const torch::Tensor scores = random({2, 5, kTags});
  const torch::Tensor expected = torch::nn::functional::cross_entropy(
      scores.flatten(0, 1), targets().flatten(),
      torch::nn::functional::CrossEntropyFuncOptions().ignore_index(kNoTarget));
  const auto none = torch::zeros({kTags, kTags}, torch::kDouble);
  EXPECT_NEAR(chain_loss(scores, targets(), none).item<double>(), expected.item<double>(), 1e-12);
}

TEST(ChainLoss, GradientsAreThoseOfSmallSteps) {
  torch::manual_seed(3);
  const torch::Tensor scores = random({2, 5, kTags});
  const torch::Tensor transitions = random({kTags, kTags});
  chain_loss(scores, targets(), transitions).backward();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (const torch::Tensor& tensor : {scores, transitions}) {
    const torch::Tensor flat = tensor.view(-1);
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
      const double at = flat[i].item<double>();
      flat[i] = at + kStep;
      const double above = chain_loss(scores, targets(), transitions).item<double>();
      flat[i] = at - kStep;
      const double below = chain_loss(scores, targets(), transitions).item<double>();
      flat[i] = at;
      EXPECT_NEAR(tensor.grad().view(-1)[i].item<double>(), (above - below) / (2 * kStep), 1e-8);
    }
  }
}

TEST(ChainLoss, HugeScoresStayNumbers) {
  const torch::Tensor scores = torch::full({1, 4, kTags}, 1e4, torch::kDouble);
  scores[0][1][0] = -1e4;
  const torch::Tensor wanted = torch::zeros({1, 4}, torch::kLong);
  const torch::Tensor loss =
      chain_loss(scores, wanted, torch::full({kTags, kTags}, -1e3, torch::kDouble));
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
  EXPECT_GT(loss.item<double>(), 1e3);
}

TEST(ChainLoss, NothingTaggedIsNoLoss) {
  const torch::Tensor scores = random({1, 2, kTags});
  const torch::Tensor nothing = torch::full({1, 2}, kNoTarget, torch::kLong);
  const torch::Tensor loss =
      chain_loss(scores, nothing, torch::zeros({kTags, kTags}, torch::kDouble));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(scores.grad().abs().sum().item<double>(), 0);
}

}  // namespace
}  // namespace qiao::learn
