// SPDX-License-Identifier: Apache-2.0
#include "learn/models/gelu.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace qiao::learn {
namespace {

// Values and their gradients by `function`, in binary64.
struct Answer {
  torch::Tensor out;
  torch::Tensor gradient;
};

template <typename Function>
Answer answer(const torch::Tensor& x, const torch::Tensor& weights, const Function& function) {
  const torch::Tensor leaf = x.detach().clone().requires_grad_();
  const torch::Tensor out = function(leaf);
  out.backward(weights.to(out.scalar_type()));
  return {out.detach().to(torch::kDouble), leaf.grad().to(torch::kDouble)};
}

// By the formula, where autograd finds the gradient.
torch::Tensor by_formula(const torch::Tensor& x) {
  const double factor = std::sqrt(2 / M_PI);
  return 0.5 * x * (1 + torch::tanh(factor * (x + 0.044715 * x.pow(3))));
}

// From -12 to 12, an odd number of them, and some of more than one grain.
torch::Tensor places() {
  return torch::cat({torch::linspace(-12, 12, 1001), torch::randn({40'000}) * 3});
}

TEST(Gelu, EqualsTheFormulaInBinary32) {
  torch::manual_seed(5);
  const torch::Tensor x = places();
  const torch::Tensor weights = torch::randn(x.sizes());
  const Answer wanted = answer(x.to(torch::kDouble), weights, by_formula);
  const Answer got = answer(x, weights, gelu_by_tanh);
  EXPECT_LT((got.out - wanted.out).abs().max().item<double>(), 3e-6);
  EXPECT_LT((got.gradient - wanted.gradient).abs().max().item<double>(), 1e-5);
}

TEST(Gelu, IsRoundedOnceInBfloat16) {
  torch::manual_seed(5);
  const torch::Tensor x = places().to(torch::kBFloat16);
  const torch::Tensor weights = torch::randn(x.sizes()).to(torch::kBFloat16);
  const Answer wanted = answer(x.to(torch::kDouble), weights, by_formula);
  const Answer got = answer(x, weights, gelu_by_tanh);
  EXPECT_EQ(gelu_by_tanh(x).scalar_type(), torch::kBFloat16);
  constexpr double kHalfStep = 1.0 / 256;  // of a value with 8 digits, and what binary32 adds
  const auto excess = [](const torch::Tensor& one, const torch::Tensor& other) {
    return ((one - other).abs() - other.abs() * kHalfStep).max().item<double>();
  };
  EXPECT_LT(excess(got.out, wanted.out), 1e-5);
  EXPECT_LT(excess(got.gradient, wanted.gradient), 2e-5);
}

TEST(Gelu, ReadsWhatIsNotDense) {
  torch::manual_seed(5);
  const torch::Tensor x = torch::randn({17, 33}).t();
  const torch::Tensor weights = torch::randn({17, 33}).t();
  const Answer wanted = answer(x.to(torch::kDouble), weights, by_formula);
  const Answer got = answer(x, weights, gelu_by_tanh);
  EXPECT_LT((got.out - wanted.out).abs().max().item<double>(), 3e-6);
  EXPECT_LT((got.gradient - wanted.gradient).abs().max().item<double>(), 1e-5);
}

TEST(Gelu, OfBinary64IsLibtorchs) {
  const torch::Tensor x = torch::linspace(-4, 4, 33, torch::kDouble);
  EXPECT_LT((gelu_by_tanh(x) - by_formula(x)).abs().max().item<double>(), 1e-12);
}

// A loss that is no number must be seen as such.
TEST(Gelu, WhatIsNoNumberStaysNone) {
  for (const auto type : {torch::kFloat, torch::kBFloat16}) {
    const torch::Tensor x =
        torch::full({40}, std::numeric_limits<float>::quiet_NaN()).to(type).requires_grad_();
    const torch::Tensor out = gelu_by_tanh(x);
    EXPECT_TRUE(out.isnan().all().item<bool>());
    out.sum().backward();
    EXPECT_TRUE(x.grad().isnan().all().item<bool>());
  }
}

TEST(Gelu, IsTheSameWithAnyNumberOfThreads) {
  torch::manual_seed(5);
  const torch::Tensor x = torch::randn({70'001});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const torch::Tensor one = gelu_by_tanh(x);
  at::set_num_threads(2);
  EXPECT_TRUE(torch::equal(gelu_by_tanh(x), one));
  at::set_num_threads(before);
}

}  // namespace
}  // namespace qiao::learn
