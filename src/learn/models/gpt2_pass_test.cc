// SPDX-License-Identifier: Apache-2.0
#include "learn/models/gpt2_pass.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "learn/models/language_model.h"
#include "learn/training/precision.h"

namespace qiao::learn {
namespace {

// The pass against autograd over the same weights.
class Gpt2PassTest : public ::testing::TestWithParam<std::int64_t> {
 protected:
  static LanguageModelShape shape(std::int64_t heads) {
    LanguageModelShape shape;
    shape.layers = 2;
    shape.width = 64;
    shape.heads = heads;
    shape.context = 40;
    shape.vocabulary = 11;
    return shape;
  }
};

TEST_P(Gpt2PassTest, LossAndGradientsAreThoseOfAutograd) {
  torch::manual_seed(3);
  const auto model = make_language_model(shape(GetParam()), 0);
  for (const auto& [name, weight] : weights_of(*model)) {
    const torch::NoGradGuard no_grad;
    weight.add_(torch::randn_like(weight) * 0.2);  // also biases and norms
  }
  const torch::Tensor ids = torch::randint(11, {5, 33}, torch::kLong);
  const torch::Tensor targets = torch::randint(11, {5, 33}, torch::kLong);
  const torch::Tensor loss =
      torch::nn::functional::cross_entropy(model->forward(ids).flatten(0, 1), targets.flatten());
  (loss * 0.5).backward();
  std::vector<torch::Tensor> wanted;
  for (const auto& [name, weight] : weights_of(*model)) {
    wanted.push_back(weight.grad().clone());
    weight.mutable_grad().reset();
  }
  // Twice a quarter is a half: gradients are added up.
  double got = 0;
  for (int i = 0; i < 2; ++i) {
    const auto part = model->fused_gradients(ids, targets, 0.25);
    ASSERT_TRUE(part);
    got += *part;
  }
  EXPECT_NEAR(got, 0.5 * loss.item<double>(), 1e-5);
  std::size_t i = 0;
  for (const auto& [name, weight] : weights_of(*model)) {
    ASSERT_TRUE(weight.grad().defined()) << name;
    const double size = wanted[i].abs().max().item<double>();
    const double off = (weight.grad() - wanted[i++]).abs().max().item<double>();
    EXPECT_LE(off, 2e-5 + 2e-4 * size) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(HeadsOf, Gpt2PassTest, ::testing::Values(1, 2, 4, 16));

// Whatever this CPU has. Three digits: as far from binary32 as autograd's products in bfloat16.
TEST_F(Gpt2PassTest, InBfloat16ItIsNearBinary32) {
  torch::manual_seed(2);  // libtorch's generator begins by chance
  const auto model = make_language_model(shape(4), 0);
  const torch::Tensor ids = torch::randint(11, {5, 33}, torch::kLong);
  const torch::Tensor targets = torch::randint(11, {5, 33}, torch::kLong);
  const auto run = [&](bool bfloat16) {
    for (const auto& [name, weight] : weights_of(*model)) weight.mutable_grad().reset();
    const Bfloat16Scope scope(bfloat16);
    const double loss = model->fused_gradients(ids, targets, 1).value();
    std::vector<torch::Tensor> gradients;
    for (const auto& [name, weight] : weights_of(*model)) gradients.push_back(weight.grad());
    return std::pair{loss, gradients};
  };
  const auto [loss, gradients] = run(false);
  const auto [near_loss, near_gradients] = run(true);
  EXPECT_NE(near_loss, loss);
  EXPECT_NEAR(near_loss, loss, 0.01 * loss);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const double size = gradients[i].norm().item<double>();
    EXPECT_LE((near_gradients[i] - gradients[i]).norm().item<double>(), 1e-6 + 0.03 * size) << i;
  }
}

TEST_F(Gpt2PassTest, TheSameBitsAgainAndNearlyTheSameWithMoreThreads) {
  torch::manual_seed(6);
  const auto model = make_language_model(shape(2), 0);
  const torch::Tensor ids = torch::randint(11, {7, 40}, torch::kLong);
  const auto run = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    for (const auto& [name, weight] : weights_of(*model)) weight.mutable_grad().reset();
    const double loss = model->fused_gradients(ids, ids, 1).value();
    at::set_num_threads(before);
    return std::pair{loss, weights_of(*model)[2].second.grad().clone()};
  };
  const auto one = run(1);
  const auto again = run(1);
  const auto three = run(3);
  EXPECT_EQ(one.first, again.first);
  EXPECT_TRUE(one.second.equal(again.second));
  EXPECT_NEAR(one.first, three.first, 1e-5);
  EXPECT_TRUE(one.second.allclose(three.second, 1e-3, 1e-5));
}

TEST_F(Gpt2PassTest, LeavesWhatItDoesNotComputeToAutograd) {
  const torch::Tensor ids = torch::zeros({1, 4}, torch::kLong);
  EXPECT_FALSE(make_language_model(shape(2), 0.1)->fused_gradients(ids, ids, 1));
  LanguageModelShape llama = shape(2);
  llama.architecture = Architecture::kLlama;
  EXPECT_FALSE(make_language_model(completed(llama), 0)->fused_gradients(ids, ids, 1));
}

}  // namespace
}  // namespace qiao::learn
