// SPDX-License-Identifier: Apache-2.0
#include "learn/models/dropout.h"

#include <gtest/gtest.h>

namespace qiao::learn {
namespace {

TEST(Drop, TakesItsShareAndLiftsTheRest) {
  torch::manual_seed(3);
  const torch::Tensor x = torch::ones({301, 333});
  const torch::Tensor dropped = drop(x, 0.25, true);
  EXPECT_NEAR(dropped.eq(0).to(torch::kFloat).mean().item<double>(), 0.25, 0.01);
  EXPECT_NEAR(dropped.mean().item<double>(), 1, 0.02);
  EXPECT_NEAR(dropped.max().item<double>(), 1 / 0.75, 1e-6);
  // Neighbours, in both directions, are dropped on their own.
  const torch::Tensor gone = dropped.eq(0);
  for (const std::int64_t side : {0, 1}) {
    const std::int64_t most = gone.size(side) - 1;
    const torch::Tensor both = gone.narrow(side, 0, most).logical_and(gone.narrow(side, 1, most));
    EXPECT_NEAR(both.to(torch::kFloat).mean().item<double>(), 0.0625, 0.01);
  }
}

TEST(Drop, DependsOnTheSeedAlone) {
  const torch::Tensor x = torch::rand({5, 1001});
  torch::manual_seed(3);
  const torch::Tensor one = drop(x, 0.1, true);
  const torch::Tensor next = drop(x, 0.1, true);
  torch::manual_seed(3);
  EXPECT_TRUE(torch::equal(drop(x, 0.1, true), one));
  EXPECT_FALSE(torch::equal(next, one));
  EXPECT_TRUE(torch::equal(drop(x, 0.1, false), x));
}

TEST(Drop, TheGradientGoesWhereTheValueWent) {
  const torch::Tensor x = torch::ones({64}, torch::requires_grad());
  const torch::Tensor dropped = drop(x, 0.5, true);
  dropped.sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), dropped.detach()));
}

}  // namespace
}  // namespace qiao::learn
