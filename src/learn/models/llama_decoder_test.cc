// SPDX-License-Identifier: Apache-2.0
#include "learn/models/llama_decoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "learn/testing/reference_encoder.h"
#include "learn/testing/weight_rows.h"

namespace qiao::learn {
namespace {

using testing::Matrix;
using testing::Vector;
using testing::WeightRows;

constexpr std::size_t kHeads = 4;
constexpr std::size_t kKvHeads = 2;
constexpr std::size_t kHeadWidth = 6;

LanguageModelShape shape_of(Architecture architecture) {
  LanguageModelShape shape;
  shape.architecture = architecture;
  shape.layers = 2;
  shape.width = kHeads * kHeadWidth;
  shape.heads = kHeads;
  shape.kv_heads = kKvHeads;
  shape.inner = 20;
  shape.context = 9;
  shape.vocabulary = 11;
  shape.rope_base = 50;  // small, so that every pair turns
  shape.epsilon = 1e-3;
  return shape;
}

std::shared_ptr<LanguageModel> make(const LanguageModelShape& shape) {
  torch::manual_seed(8);
  auto model = make_language_model(shape, 0.0);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : weights_of(*model)) tensor.copy_(torch::randn_like(tensor) * 0.4);
  model->to(torch::kDouble);
  model->eval();
  return model;
}

// Llama's arithmetic once more, in plain loops, after the papers alone.
Vector rms(const Vector& x, const Vector& weight) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  Vector out = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    out[i] *= weight[i] / std::sqrt(squares / double(x.size()) + 1e-3);
  }
  return out;
}

// Turns the pairs of one head at place `t` as complex numbers.
Vector turned(const Vector& x, std::size_t t, bool halves) {
  Vector out = x;
  const std::size_t pairs = x.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::size_t a = halves ? i : 2 * i;
    const std::size_t b = halves ? i + pairs : 2 * i + 1;
    const double angle = double(t) / std::pow(50.0, 2.0 * double(i) / double(x.size()));
    out[a] = x[a] * std::cos(angle) - x[b] * std::sin(angle);
    out[b] = x[b] * std::cos(angle) + x[a] * std::sin(angle);
  }
  return out;
}

Matrix head_of(const Matrix& x, std::size_t head, bool turns, bool halves) {
  Matrix out = testing::columns(x, head * kHeadWidth, kHeadWidth);
  for (std::size_t t = 0; turns && t < out.size(); ++t) out[t] = turned(out[t], t, halves);
  return out;
}

Matrix reference_block(const WeightRows& weights, const std::string& name, const Matrix& x,
                       bool halves) {
  Matrix query, key, value;
  for (const Vector& row : x) {
    const Vector normed = rms(row, weights.row(name + "attn_norm.weight"));
    query.push_back(weights.linear(name + "attn_q", normed));
    key.push_back(weights.linear(name + "attn_k", normed));
    value.push_back(weights.linear(name + "attn_v", normed));
  }
  const auto before = [](std::size_t t, std::size_t s) { return s <= t; };
  Matrix mixed(x.size());
  for (std::size_t head = 0; head < kHeads; ++head) {
    const std::size_t group = head / (kHeads / kKvHeads);
    const Matrix part =
        testing::attend(head_of(query, head, true, halves), head_of(key, group, true, halves),
                        head_of(value, group, false, halves), before);
    for (std::size_t t = 0; t < x.size(); ++t) {
      mixed[t].insert(mixed[t].end(), part[t].begin(), part[t].end());
    }
  }
  Matrix out;
  for (std::size_t t = 0; t < x.size(); ++t) {
    const Vector middle = testing::plus(x[t], weights.linear(name + "attn_output", mixed[t]));
    const Vector normed = rms(middle, weights.row(name + "ffn_norm.weight"));
    Vector inner = weights.linear(name + "ffn_gate", normed);
    const Vector up = weights.linear(name + "ffn_up", normed);
    for (std::size_t i = 0; i < inner.size(); ++i) inner[i] *= up[i] / (1 + std::exp(-inner[i]));
    out.push_back(testing::plus(middle, weights.linear(name + "ffn_down", inner)));
  }
  return out;
}

void expect_reference(const LanguageModelShape& shape) {
  const auto model = make(shape);
  const WeightRows weights(*model);
  const std::vector<std::int64_t> ids = {3, 9, 0, 7, 3, 1, 10};
  const Matrix words = weights.matrix("token_embd.weight");
  Matrix x;
  for (const std::int64_t id : ids) x.push_back(words[static_cast<std::size_t>(id)]);
  const bool halves = shape.architecture == Architecture::kQwen2;
  for (const char* name : {"blk.0.", "blk.1."}) x = reference_block(weights, name, x, halves);
  const Matrix output = shape.tied ? words : weights.matrix("output.weight");
  const torch::Tensor scores = model->forward(torch::tensor(ids).unsqueeze(0))[0];
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const Vector last = rms(x[t], weights.row("output_norm.weight"));
    const Vector expected = testing::times(output, last, Vector(output.size(), 0));
    const torch::Tensor got = scores[static_cast<std::int64_t>(t)];
    for (std::size_t v = 0; v < expected.size(); ++v) {
      ASSERT_NEAR(got[static_cast<std::int64_t>(v)].item<double>(), expected[v], 1e-9)
          << name_of(shape.architecture) << " token " << t;
    }
  }
}

TEST(LlamaDecoder, EqualsTheReferenceInDoublePrecision) {
  expect_reference(shape_of(Architecture::kLlama));
}

TEST(LlamaDecoder, UntiedEqualsTheReferenceToo) {
  LanguageModelShape shape = shape_of(Architecture::kLlama);
  shape.tied = false;
  expect_reference(shape);
}

TEST(LlamaDecoder, Qwen2TurnsHalvesAndHasBiases) {
  const LanguageModelShape shape = shape_of(Architecture::kQwen2);
  const auto weights = WeightRows(*make(shape));
  EXPECT_EQ(weights.row("blk.0.attn_k.bias").size(), kKvHeads * kHeadWidth);
  expect_reference(shape);
}

// A product of a turned query and a turned key depends on how far apart they stand alone.
TEST(Rotary, KnowsDistancesAlone) {
  torch::manual_seed(3);
  for (const RotaryPairs pairs : {RotaryPairs::kAdjacent, RotaryPairs::kHalves}) {
    const Rotary rotary(8, 16, 10'000, pairs);
    const auto turn = rotary.turn(16, torch::kDouble);
    const torch::Tensor query = torch::randn({1, 1, 1, 8}, torch::kDouble).expand({1, 1, 16, 8});
    const torch::Tensor key = torch::randn({1, 1, 1, 8}, torch::kDouble).expand({1, 1, 16, 8});
    const torch::Tensor products =
        torch::matmul(rotary.apply(query, turn), rotary.apply(key, turn).transpose(2, 3))[0][0];
    EXPECT_NEAR(products[9][4].item<double>(), products[5][0].item<double>(), 1e-12);
    EXPECT_NEAR(products[2][15].item<double>(), products[0][13].item<double>(), 1e-12);
    EXPECT_GT(std::abs((products[9][4] - products[9][5]).item<double>()), 1e-3);
  }
}

TEST(LanguageShape, KeepsWhatALlamaNeeds) {
  LanguageModelShape shape = shape_of(Architecture::kQwen2);
  shape.tied = false;
  const LanguageModelShape read = language_shape_of(to_json(shape)).value();
  EXPECT_EQ(to_json(read), to_json(shape));
  shape.kv_heads = 3;
  EXPECT_EQ(check_shape(shape).error().code, Code::kInvalidArgument);
  shape.kv_heads = 2;
  shape.width = 4 * 5;  // a head of 5 has no pairs
  EXPECT_EQ(check_shape(shape).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao::learn
