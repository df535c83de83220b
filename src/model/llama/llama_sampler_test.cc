// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "model/llama/local_model.h"
#include "model/testing/tiny_gguf.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

// The vocabulary is the byte one of the tiny chat model: byte b is token b + 3.
class Sampler : public ::testing::Test {
 protected:
  void SetUp() override {
    ModelOptions options;
    options.path = tiny_chat(folder_);
    auto weights = load_weights(open_model_file(options.name, options.path).value(), options.path);
    ASSERT_TRUE(weights) << weights.error().message;
    weights_ = std::move(*weights);
  }
  Result<TokenSampler> make(const Sampling& sampling, const std::string& gbnf = "") {
    return TokenSampler::make(*llama_model_get_vocab(weights_.get()), sampling, gbnf);
  }
  static Sampling greedy() {
    Sampling sampling;
    sampling.temperature = 0;
    sampling.repeat_penalty = 1;
    return sampling;
  }
  // Logits with `high` ones, the first the highest.
  static std::vector<float> logits(const std::vector<Token>& high) {
    std::vector<float> all(259, 0);
    float value = 5;
    for (const Token token : high) all[static_cast<std::size_t>(token)] = value -= 0.5F;
    return all;
  }
  static Token of(char byte) { return static_cast<unsigned char>(byte) + 3; }

  TempFolder folder_;
  LlamaWeights weights_;
};

TEST_F(Sampler, TemperatureZeroTakesTheLikeliest) {
  auto sampler = make(greedy()).value();
  for (int i = 0; i < 3; ++i) {
    auto row = logits({42, 7});
    EXPECT_EQ(*sampler.pick(row), 42);
  }
}

TEST_F(Sampler, APenaltyMakesWhatWasSaidLessLikely) {
  auto sampling = greedy();
  sampling.repeat_penalty = 2;
  auto sampler = make(sampling).value();
  auto row = logits({42, 7});
  EXPECT_EQ(*sampler.pick(row), 42);
  row = logits({42, 7});
  EXPECT_EQ(*sampler.pick(row), 7);
}

TEST_F(Sampler, ChanceStaysAmongTheLikeliestAndFollowsTheSeed) {
  Sampling sampling;
  sampling.temperature = 1;
  sampling.top_k = 3;
  sampling.top_p = 1;
  sampling.min_p = 0;
  sampling.repeat_penalty = 1;
  sampling.seed = 5;
  auto first = make(sampling).value();
  auto again = make(sampling).value();
  std::set<Token> seen;
  for (int i = 0; i < 100; ++i) {
    auto row = logits({42, 7, 9, 11});
    auto same = row;
    const auto token = *first.pick(row);
    EXPECT_EQ(token, *again.pick(same));
    seen.insert(token);
  }
  EXPECT_EQ(seen, (std::set<Token>{7, 9, 42}));
}

TEST_F(Sampler, AGrammarAllowsNothingElse) {
  auto sampler = make(greedy(), "root ::= \"ab\" | \"cd\"").value();
  auto row = logits({of('x'), of('y'), of('c')});
  EXPECT_EQ(*sampler.pick(row), of('c'));
  row = logits({of('a'), of('b')});
  EXPECT_EQ(*sampler.pick(row), of('d'));  // however unlikely
  row = logits({of('a')});
  EXPECT_EQ(*sampler.pick(row), 2);  // the end
}

TEST_F(Sampler, NumbersThatAreNoneAreAnError) {
  auto sampler = make(greedy()).value();
  std::vector<float> row(259, std::nanf(""));
  EXPECT_EQ(sampler.pick(row).error().code, Code::kModelFailed);
}

TEST_F(Sampler, ChecksItsNumbersAndGrammar) {
  const auto bad = [&](auto change) {
    Sampling sampling;
    change(sampling);
    return !make(sampling);
  };
  EXPECT_TRUE(bad([](Sampling& s) { s.temperature = -0.1; }));
  EXPECT_TRUE(bad([](Sampling& s) { s.temperature = std::nan(""); }));
  EXPECT_TRUE(bad([](Sampling& s) { s.top_p = 1.1; }));
  EXPECT_TRUE(bad([](Sampling& s) { s.min_p = -1; }));
  EXPECT_TRUE(bad([](Sampling& s) { s.top_k = -1; }));
  EXPECT_TRUE(bad([](Sampling& s) { s.repeat_penalty = 0; }));
  EXPECT_EQ(make(greedy(), "root ::= (").error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao::model
