// SPDX-License-Identifier: Apache-2.0
#include "learn/models/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learn/testing/reference_encoder.h"

namespace qiao::learn {
namespace {

testing::Matrix matrix_of(const torch::Tensor& x) {
  testing::Matrix out;
  for (std::int64_t r = 0; r < x.size(0); ++r) {
    const torch::Tensor row = x[r].to(torch::kDouble).contiguous();
    out.emplace_back(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
  }
  return out;
}

double greatest_difference(const torch::Tensor& ours, const testing::Matrix& reference) {
  double greatest = 0;
  for (std::size_t r = 0; r < reference.size(); ++r) {
    for (std::size_t c = 0; c < reference[r].size(); ++c) {
      const double value =
          ours[static_cast<std::int64_t>(r)][static_cast<std::int64_t>(c)].item<double>();
      greatest = std::max(greatest, std::abs(value - reference[r][c]));
    }
  }
  return greatest;
}

class Attention : public ::testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(3); }
  torch::Tensor q = torch::randn({1, 2, 5, 4}, torch::kDouble);
  torch::Tensor k = torch::randn({1, 2, 5, 4}, torch::kDouble);
  torch::Tensor v = torch::randn({1, 2, 5, 4}, torch::kDouble);
};

TEST_F(Attention, EqualsTheReferenceWithAndWithoutACausalMask) {
  const torch::Tensor open = attention(q, k, v, {});
  const torch::Tensor causal = attention(q, k, v, causal_mask(5));
  for (std::int64_t head = 0; head < 2; ++head) {
    const auto rq = matrix_of(q[0][head]);
    const auto rk = matrix_of(k[0][head]);
    const auto rv = matrix_of(v[0][head]);
    const auto all = [](std::size_t, std::size_t) { return true; };
    const auto before = [](std::size_t t, std::size_t s) { return s <= t; };
    EXPECT_LT(greatest_difference(open[0][head], testing::attend(rq, rk, rv, all)), 1e-12);
    EXPECT_LT(greatest_difference(causal[0][head], testing::attend(rq, rk, rv, before)), 1e-12);
  }
}

// What a token may not see must not move its output at all.
TEST_F(Attention, NothingLeaksThroughTheMasks) {
  const torch::Tensor before = attention(q, k, v, causal_mask(5));
  k[0][0][4] += 100;
  v[0][1][4] += 100;
  const torch::Tensor after = attention(q, k, v, causal_mask(5));
  EXPECT_TRUE(torch::equal(before.narrow(2, 0, 4), after.narrow(2, 0, 4)));
  EXPECT_FALSE(torch::equal(before, after));

  const torch::Tensor present = torch::tensor({{true, true, true, true, false}});
  const torch::Tensor padded = attention(q, k, v, padding_mask(present));
  k[0][0][4] -= 50;
  v[0][1][4] -= 50;
  EXPECT_TRUE(torch::equal(padded, attention(q, k, v, padding_mask(present))));
}

// The gradient libtorch gives equals central differences of the forward pass.
TEST_F(Attention, GradientsEqualDifferences) {
  q.set_requires_grad(true);
  const torch::Tensor weight = torch::randn_like(v);
  const auto value = [&] { return (attention(q, k, v, causal_mask(5)) * weight).sum(); };
  value().backward();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  double* at = q.data_ptr<double>();
  for (std::int64_t i = 0; i < q.numel(); i += 3) {
    const double kept = at[i];
    at[i] = kept + kStep;
    const double above = value().item<double>();
    at[i] = kept - kStep;
    const double below = value().item<double>();
    at[i] = kept;
    EXPECT_NEAR(q.grad().data_ptr<double>()[i], (above - below) / (2 * kStep), 1e-8);
  }
}

TEST(SinusoidPositions, FollowThePaper) {
  const torch::Tensor table = sinusoid_positions(50, 8);
  for (const std::int64_t position : {0, 1, 49}) {
    for (std::int64_t i = 0; i < 4; ++i) {
      const double angle = double(position) / std::pow(10000.0, 2.0 * double(i) / 8);
      EXPECT_NEAR(table[position][2 * i].item<double>(), std::sin(angle), 1e-6);
      EXPECT_NEAR(table[position][2 * i + 1].item<double>(), std::cos(angle), 1e-6);
    }
  }
}

}  // namespace
}  // namespace qiao::learn
