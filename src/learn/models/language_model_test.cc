// SPDX-License-Identifier: Apache-2.0
#include "learn/models/language_model.h"

#include <gtest/gtest.h>

#include "learn/testing/reference_encoder.h"
#include "learn/testing/weight_rows.h"
#include "learn/training/compare.h"

namespace qiao::learn {
namespace {

using testing::Matrix;
using testing::Vector;
using ModelWeights = testing::WeightRows;

LanguageModelShape small_shape(Architecture architecture) {
  LanguageModelShape shape;
  shape.architecture = architecture;
  shape.layers = 2;
  shape.width = 8;
  shape.heads = 2;
  shape.context = 6;
  shape.vocabulary = 11;
  shape.kv_heads = 1;
  shape.inner = 12;
  return shape;
}

std::shared_ptr<LanguageModel> make(Architecture architecture) {
  torch::manual_seed(8);
  auto model = make_language_model(small_shape(architecture), 0.0);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : weights_of(*model)) tensor.copy_(torch::randn_like(tensor) * 0.4);
  model->to(torch::kDouble);
  model->eval();
  return model;
}

// One block of GPT-2 in plain loops.
Matrix reference_block(const ModelWeights& weights, const std::string& name, const Matrix& x) {
  Matrix fused;
  for (const Vector& row : x) {
    fused.push_back(weights.linear(name + "attn_qkv", weights.norm(name + "attn_norm", row)));
  }
  const auto before = [](std::size_t t, std::size_t s) { return s <= t; };
  Matrix mixed(x.size());
  for (std::size_t head = 0; head < 8; head += 4) {
    const Matrix part =
        testing::attend(testing::columns(fused, head, 4), testing::columns(fused, 8 + head, 4),
                        testing::columns(fused, 16 + head, 4), before);
    for (std::size_t t = 0; t < x.size(); ++t) {
      mixed[t].insert(mixed[t].end(), part[t].begin(), part[t].end());
    }
  }
  Matrix out;
  for (std::size_t t = 0; t < x.size(); ++t) {
    const Vector middle = testing::plus(x[t], weights.linear(name + "attn_output", mixed[t]));
    Vector inner = weights.linear(name + "ffn_up", weights.norm(name + "ffn_norm", middle));
    for (double& value : inner) value = testing::gelu(value);
    out.push_back(testing::plus(middle, weights.linear(name + "ffn_down", inner)));
  }
  return out;
}

TEST(Transformer, EqualsTheReferenceInDoublePrecision) {
  const auto model = make(Architecture::kTransformer);
  const ModelWeights weights(*model);
  const std::vector<std::int64_t> ids = {3, 9, 0, 7, 3};
  const Matrix words = weights.matrix("token_embd.weight");
  const Matrix positions = weights.matrix("position_embd.weight");
  Matrix x;
  for (std::size_t t = 0; t < ids.size(); ++t) {
    x.push_back(testing::plus(words[static_cast<std::size_t>(ids[t])], positions[t]));
  }
  for (const char* name : {"blk.0.", "blk.1."}) x = reference_block(weights, name, x);
  const torch::Tensor scores = model->forward(torch::tensor(ids).unsqueeze(0))[0];
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const Vector last = weights.norm("output_norm", x[t]);
    const Vector expected = testing::times(words, last, Vector(words.size(), 0));
    for (std::size_t v = 0; v < expected.size(); ++v) {
      EXPECT_NEAR(scores[static_cast<std::int64_t>(t)][static_cast<std::int64_t>(v)].item<double>(),
                  expected[v], 1e-9);
    }
  }
}

// What comes later moves nothing, in every architecture; what came before does.
TEST(LanguageModel, TheFutureDoesNotLeak) {
  for (const Architecture architecture : kArchitectures) {
    const auto model = make(architecture);
    const torch::Tensor one = model->forward(torch::tensor({{1, 2, 3, 4, 5, 6}}));
    const torch::Tensor other = model->forward(torch::tensor({{1, 2, 3, 4, 9, 0}}));
    EXPECT_TRUE(torch::allclose(one.narrow(1, 0, 4), other.narrow(1, 0, 4), 1e-12, 1e-12));
    EXPECT_FALSE(torch::allclose(one[0][5], other[0][5]));
    const torch::Tensor past = model->forward(torch::tensor({{7, 2, 3, 4, 5, 6}}));
    EXPECT_FALSE(torch::allclose(one[0][5], past[0][5]));
  }
}

TEST(LanguageModel, GradientsEqualDifferences) {
  for (const Architecture architecture : kArchitectures) {
    const auto model = make(architecture);
    const torch::Tensor ids = torch::tensor({{1, 2, 3, 4}});
    const torch::Tensor targets = torch::tensor({2, 3, 4, 10});
    const auto loss = [&] {
      return torch::nn::functional::cross_entropy(model->forward(ids)[0], targets);
    };
    loss().backward();
    const torch::NoGradGuard no_grad;
    constexpr double kStep = 1e-5;
    for (auto& [name, tensor] : weights_of(*model)) {
      double* at = tensor.data_ptr<double>();
      const torch::Tensor gradient = tensor.grad().contiguous();
      for (std::int64_t i = 0; i < tensor.numel(); i += 1 + tensor.numel() / 5) {
        const double kept = at[i];
        at[i] = kept + kStep;
        const double above = loss().item<double>();
        at[i] = kept - kStep;
        const double below = loss().item<double>();
        at[i] = kept;
        EXPECT_NEAR(gradient.data_ptr<double>()[i], (above - below) / (2 * kStep), 1e-7)
            << name_of(architecture) << " " << name;
      }
    }
  }
}

TEST(ShapeOfSize, ComesNearTheWantedNumberOfWeights) {
  for (const Architecture architecture : kArchitectures) {
    LanguageModelShape shape = small_shape(architecture);
    shape.inner = 0;
    shape = shape_of_size(shape, 100'000).value();
    const auto weights = double(count_weights(*make_language_model(shape, 0)));
    EXPECT_NEAR(weights, 100'000, 6'000) << name_of(architecture);
  }
}

TEST(LanguageShape, AHeadOfOneNumberIsRefused) {
  LanguageModelShape shape;
  shape.architecture = Architecture::kTransformer;
  shape.vocabulary = 10;
  shape.heads = 4;
  shape.width = 4;
  EXPECT_EQ(check_shape(shape).error().code, Code::kInvalidArgument);
  shape.width = 8;
  EXPECT_TRUE(check_shape(shape));
}

}  // namespace
}  // namespace qiao::learn
