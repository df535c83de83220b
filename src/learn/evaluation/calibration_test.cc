// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/calibration.h"

#include <gtest/gtest.h>

#include "learn/data/examples.h"

namespace qiao::learn {
namespace {

// Targets drawn from softmax(scores): the scores three times as sharp need a temperature of 3.
TEST(FitTemperature, FindsHowMuchTooSharpTheScoresAre) {
  torch::manual_seed(2);
  const torch::Tensor scores = torch::randn({20000, 4});
  const torch::Tensor targets = torch::softmax(scores, -1).multinomial(1).squeeze(1);
  EXPECT_NEAR(fit_temperature(scores, targets), 1, 0.05);
  EXPECT_NEAR(fit_temperature(scores * 3, targets), 3, 0.15);
  EXPECT_NEAR(fit_temperature(scores * 100, targets), kTemperatureMax, 0.01);
  EXPECT_EQ(fit_temperature(scores, torch::full_like(targets, kNoTarget)), 1);
}

TEST(FitReject, PartsWhatTheModelKnowsFromTheRest) {
  // expected, given, confidence
  const std::vector<Classified> rows = {{-1, 0, 0.2}, {-1, 1, 0.3}, {0, 0, 0.5}, {-1, 0, 0.6},
                                        {1, 1, 0.7},  {1, 0, 0.8},  {0, 0, 0.9}};
  const auto point = fit_reject(rows);
  ASSERT_TRUE(point);
  EXPECT_NEAR(point->threshold, 0.4, 1e-9);
  EXPECT_NEAR(point->accuracy, 5.0 / 7, 1e-9);
  EXPECT_NEAR(point->in_scope_right, 3.0 / 4, 1e-9);
  EXPECT_NEAR(point->outside_found, 2.0 / 3, 1e-9);
  EXPECT_FALSE(fit_reject({{0, 0, 0.5}, {1, 0, 0.4}}));
  EXPECT_FALSE(fit_reject({{-1, 0, 0.5}}));
}

}  // namespace
}  // namespace qiao::learn
