// SPDX-License-Identifier: Apache-2.0
#include "learn/training/optimiser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace qiao::learn {
namespace {

torch::Tensor learnt(torch::IntArrayRef sides) {
  return torch::randn(sides).set_requires_grad(true);
}

// Against libtorch's own AdamW, over several steps, with decay and without clipping.
TEST(AdamW, EqualsLibtorchs) {
  torch::manual_seed(1);
  torch::Tensor ours = learnt({6, 5});
  torch::Tensor theirs = ours.detach().clone().set_requires_grad(true);
  AdamOptions options;
  options.clip_norm = 0;
  AdamW adam({{"w", ours, 0.5}}, options);
  torch::optim::AdamW reference(
      {theirs}, torch::optim::AdamWOptions(0.5e-2).betas({0.9, 0.999}).weight_decay(0.01));
  for (int step = 0; step < 20; ++step) {
    adam.zero_gradients();
    (ours * ours * ours).sum().backward();
    ASSERT_TRUE(adam.step(1e-2));
    reference.zero_grad();
    (theirs * theirs * theirs).sum().backward();
    reference.step();
  }
  EXPECT_TRUE(torch::allclose(ours, theirs, 1e-5, 1e-6));
}

TEST(AdamW, ClipsByTheNormOfAllGradients) {
  torch::Tensor a = torch::zeros({2}).set_requires_grad(true);
  torch::Tensor b = torch::zeros({1}).set_requires_grad(true);
  AdamW adam({{"a", a}, {"b", b}}, {});
  (a.sum() * 30 + b.sum() * 40).backward();
  EXPECT_NEAR(adam.step(1e-3).value(), std::sqrt(30.0 * 30 * 2 + 40 * 40), 1e-3);
  EXPECT_NEAR(adam.moments()[1].first[0].item<double>(), 0.1 * 40 / 58.3095, 1e-5);
}

// Rows of a word table that the batch holds learn as if they were alone; others stay.
TEST(AdamW, UpdatesTheRowsOfTheBatchOnly) {
  torch::manual_seed(2);
  torch::nn::Embedding words(torch::nn::EmbeddingOptions(5, 4).sparse(true));
  const torch::Tensor before = words->weight.detach().clone();
  torch::Tensor alone = before[3].clone().unsqueeze(0).set_requires_grad(true);
  AdamOptions options;
  options.clip_norm = 0;
  AdamW sparse({{"words", words->weight}}, options);
  AdamW dense({{"alone", alone}}, options);
  for (int step = 0; step < 4; ++step) {
    if (step == 2) continue;  // a step without the row does not count for it
    sparse.zero_gradients();
    (words(torch::tensor({3, 3})).pow(2)).sum().backward();
    ASSERT_TRUE(sparse.step(1e-2));
    dense.zero_gradients();
    (alone.pow(2) * 2).sum().backward();
    ASSERT_TRUE(dense.step(1e-2));
  }
  EXPECT_TRUE(torch::allclose(words->weight[3], alone[0], 1e-5, 1e-6));
  EXPECT_TRUE(torch::equal(words->weight[2], before[2]));
}

// What other devices compute with is the same step as the CPU's own loops.
TEST(AdamW, OperatorsTakeTheSameStep) {
  torch::manual_seed(3);
  torch::nn::Embedding words(torch::nn::EmbeddingOptions(6, 4).sparse(true));
  torch::nn::Linear head(4, 2);
  torch::nn::Embedding words_too(torch::nn::EmbeddingOptions(6, 4).sparse(true));
  torch::nn::Linear head_too(4, 2);
  {
    const torch::NoGradGuard no_grad;
    words_too->weight.copy_(words->weight);
    head_too->weight.copy_(head->weight);
    head_too->bias.copy_(head->bias);
  }
  AdamOptions options;
  options.clip_norm = 0.1;
  options.average = 0.9;
  const auto adam = [&](torch::nn::Embedding& table, torch::nn::Linear& layer) {
    return AdamW({{"words", table->weight}, {"w", layer->weight, 0.5}, {"b", layer->bias}},
                 options);
  };
  AdamW fused = adam(words, head);
  options.fused = false;
  AdamW plain = adam(words_too, head_too);
  for (int step = 0; step < 6; ++step) {
    const torch::Tensor ids = torch::tensor({step, step, 5});
    fused.zero_gradients();
    head(words(ids)).pow(2).sum().backward();
    plain.zero_gradients();
    head_too(words_too(ids)).pow(2).sum().backward();
    const auto norm = fused.step(1e-2);
    ASSERT_TRUE(norm);
    EXPECT_NEAR(*norm, plain.step(1e-2).value(), 1e-5);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const AdamW::Moments& one = fused.moments()[i];
    const AdamW::Moments& other = plain.moments()[i];
    EXPECT_TRUE(torch::allclose(fused.weights()[i].tensor, plain.weights()[i].tensor, 1e-5, 1e-6));
    EXPECT_TRUE(torch::allclose(one.first, other.first, 1e-5, 1e-7));
    EXPECT_TRUE(torch::allclose(one.second, other.second, 1e-5, 1e-8));
    EXPECT_TRUE(torch::equal(one.steps, other.steps));
    EXPECT_TRUE(torch::allclose(one.mean, other.mean, 1e-5, 1e-6));
  }
}

TEST(AdamW, KeepsAMeanOfTheWeightsWhichTakesTheirPlaceForAWhile) {
  torch::Tensor weight = torch::full({2}, 5.0F).set_requires_grad(true);
  AdamOptions options;
  options.average = 0.5;
  options.weight_decay = 0;
  AdamW adam({{"weight", weight}}, options);
  torch::Tensor mean = weight.detach().clone();
  for (int step = 1; step <= 20; ++step) {
    adam.zero_gradients();
    weight.pow(2).sum().backward();
    ASSERT_TRUE(adam.step(0.1));
    const double kept = std::min(0.5, (1.0 + step) / (10.0 + step));
    mean = mean * kept + weight.detach() * (1 - kept);
  }
  const torch::Tensor learnt = weight.detach().clone();
  {
    const MeanWeights scope(adam);
    EXPECT_TRUE(torch::allclose(weight, mean, 1e-5, 1e-6));
  }
  EXPECT_TRUE(torch::equal(weight, learnt));
  EXPECT_GT((mean - learnt).min().item<double>(), 0);  // behind on the way down
}

TEST(AdamW, NamesTheWeightWhoseGradientIsNoNumber) {
  torch::Tensor weight = torch::ones({3}).set_requires_grad(true);
  AdamW adam({{"encoder.layer.1.output.dense.bias", weight}}, {});
  (weight * std::numeric_limits<float>::quiet_NaN()).sum().backward();
  const auto stepped = adam.step(1e-3);
  ASSERT_FALSE(stepped);
  EXPECT_NE(stepped.error().message.find("encoder.layer.1.output.dense.bias"), std::string::npos);
  EXPECT_TRUE(torch::equal(weight, torch::ones({3})));
}

TEST(WarmupCosine, RisesThenFallsToTheFloor) {
  EXPECT_NEAR(warmup_cosine(0, 100, 10, 0.1), 0.1, 1e-12);
  EXPECT_NEAR(warmup_cosine(9, 100, 10, 0.1), 1.0, 1e-12);
  EXPECT_NEAR(warmup_cosine(55, 100, 10, 0.1), 0.55, 1e-12);
  EXPECT_NEAR(warmup_cosine(100, 100, 10, 0.1), 0.1, 1e-12);
}

}  // namespace
}  // namespace qiao::learn
