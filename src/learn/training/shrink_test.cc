// SPDX-License-Identifier: Apache-2.0
// Models made smaller: what is left, what it answers, and what does not pass the gate.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "learn/commands/commands.h"
#include "learn/evaluation/served.h"
#include "learn/files/bundle.h"
#include "learn/models/encoder_cut.h"
#include "learn/testing/letters.h"
#include "learn/testing/stopping_disk.h"
#include "learn/testing/training_test.h"
#include "learn/training/importance.h"
#include "learn/training/prune.h"
#include "learn/training/quantise.h"
#include "learn/training/shrink.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

// A trained classifier of letters with four heads and 64 neurons in each of two layers.
class ShrinkTest : public testing::TrainingTest {
 protected:
  void SetUp() override {
    testing::write_letters_base(folder_, 2, 32, 64, 4);
    FinetuneOptions options = testing::letters_options(folder_, "teacher");
    ASSERT_TRUE(finetune(disk_, options, progress_, stop_));
  }

  PruneOptions prune_options() {
    PruneOptions options;
    options.bundle = folder_ / "teacher";
    options.data = folder_ / "train.jsonl";
    options.dev = folder_ / "dev.jsonl";
    options.out = folder_ / "pruned";
    options.bfloat16 = false;
    return options;
  }
  Result<Json> run(const PruneOptions& options) { return prune(disk_, options, progress_, stop_); }

  // The scores of a text, by libtorch.
  static torch::Tensor scores(Bundle& bundle, const std::string& text) {
    const torch::NoGradGuard no_grad;
    bundle.model->eval();
    const std::vector<Example> one = {
        make_example({text, "x", {}, 0, {}}, bundle.task, bundle.tokenizer, bundle.labels, 16)};
    const Batch batch = make_batch(one, {0}, bundle.task, bundle.tokenizer.pad());
    return bundle.model(batch.ids, batch.present)[0];
  }
  // Every dev row gets the same label by libtorch and as it is served.
  void expect_served_alike(const std::string& folder) {
    auto served = ServedBundle::open(folder, 1);
    if (!served && served.error().code == Code::kUnsupported) return;  // without llama.cpp
    ASSERT_TRUE(served) << served.error().message;
    Bundle bundle = load_bundle(folder).value();
    const RowFile dev = read_rows(folder_ / "dev.jsonl", Task::kClassify).value();
    for (const Row& row : dev.rows) {
      const auto label = scores(bundle, row.text).argmax().item<std::int64_t>();
      EXPECT_EQ((*served)->ask(row.text)->label,
                bundle.labels.names()[static_cast<std::size_t>(label)])
          << row.text;
    }
  }
};

TEST_F(ShrinkTest, EightBitsAnswerAlikeAndTakeAQuarter) {
  QuantiseOptions options{folder_ / "teacher", "", folder_ / "dev.jsonl", folder_ / "int8", 1};
  const auto told = quantise(disk_, options, progress_, stop_);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_GE((*told)["agreement"].get<double>(), 0.97);
  EXPECT_FALSE(fs::exists(folder_ / "int8.unmeasured"));
  Bundle before = load_bundle(folder_ / "teacher").value();
  Bundle after = load_bundle(folder_ / "int8").value();
  EXPECT_TRUE(after.int8);
  EXPECT_TRUE(torch::allclose(scores(before, "a b"), scores(after, "a b"), 0.05, 0.05));
  EXPECT_LT(2 * fs::file_size(folder_ / "int8/model.safetensors"),
            fs::file_size(folder_ / "teacher/model.safetensors"));
  expect_served_alike(folder_ / "int8");
  EXPECT_EQ(after.card["shrunk"]["how"], "quantise");
  options.out = folder_ / "again";
  options.bundle = folder_ / "int8";
  EXPECT_EQ(quantise(disk_, options, progress_, stop_).error().code, Code::kPrecondition);
}

TEST_F(ShrinkTest, RowsWithLabelsOfAnotherTaskJudgeNothing) {
  QuantiseOptions options;
  options.bundle = folder_ / "teacher";
  options.dev = folder_.write(
      "other.jsonl", "{\"text\":\"a\",\"label\":\"other\"}\n{\"text\":\"b\",\"label\":\"one\"}\n");
  options.out = folder_ / "int8";
  const auto told = quantise(disk_, options, progress_, stop_);
  ASSERT_FALSE(told);
  const Error& error = told.error();
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_NE(error.message.find("\"other\" is no label of " + options.bundle), std::string::npos)
      << error.message;
  EXPECT_FALSE(fs::exists(options.out));
  const Status measured =
      run_eval({Language::kEnglish, false, stop_},
               {"--bundle", options.bundle, "--data", options.dev, "--threads", "1"});
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().code, Code::kInvalidArgument);
  EXPECT_EQ(measured.error().message, "no label of " + options.dev +
                                          " (\"one\", \"other\") is one of " + options.bundle +
                                          " (\"x\", \"y\")");
}

TEST_F(ShrinkTest, PrunedRowsAndColumnsAreGone) {
  PruneOptions options = prune_options();
  options.heads = 0.5;
  options.inner = 0.5;
  options.vocabulary = true;
  options.allow_loss = -1;
  const auto told = run(options);
  ASSERT_TRUE(told) << told.error().message;
  const Bundle bundle = load_bundle(options.out).value();
  EXPECT_EQ(bundle.shape.layer_heads, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(bundle.shape.inner, 32);
  EXPECT_EQ(bundle.model->encoder->layers[1]->attention->query->weight.size(0), 16);
  EXPECT_EQ(bundle.model->encoder->layers[1]->attention->output->weight.size(1), 16);
  EXPECT_EQ(bundle.model->encoder->layers[0]->up->weight.size(0), 32);
  expect_served_alike(options.out);
}

TEST_F(ShrinkTest, LayersOfDifferentWidthsAreServedWithZeros) {
  PruneOptions options = prune_options();
  options.heads = 0.4;
  options.inner = 0.5;
  options.per_layer = true;
  options.allow_loss = -1;
  ASSERT_TRUE(run(options));
  const Bundle bundle = load_bundle(options.out).value();
  EXPECT_FALSE(bundle.shape.layer_heads.empty());
  expect_served_alike(options.out);
}

TEST_F(ShrinkTest, ALayerLessRecovers) {
  PruneOptions options = prune_options();
  options.layers = 1;
  options.recover = 4;
  options.allow_loss = 10;
  options.rate = 3e-3;
  const auto told = run(options);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_GT((*told)["after"]["accuracy"].get<double>(), 0.9);
  const Bundle bundle = load_bundle(options.out).value();
  EXPECT_EQ(bundle.shape.layers, 1);
  EXPECT_EQ(bundle.card["shrunk"]["options"]["layers"], 1);
}

TEST_F(ShrinkTest, AResumedRecoveryEndsAsAnUnbrokenOne) {
  PruneOptions options = prune_options();
  options.inner = 0.5;
  options.recover = 2;
  options.rate = 3e-3;
  options.allow_loss = -1;
  options.out = folder_ / "unbroken";
  ASSERT_TRUE(run(options));
  options.out = folder_ / "broken";
  // The first epoch is the best so far: it is kept, and then the training stops.
  testing::StoppingDisk stopping("/broken.unmeasured.partial/model.safetensors", stop_);
  const auto stopped = prune(stopping, options, progress_, stop_);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_NE(stopped.error().message.find("--resume"), std::string::npos);
  stop_ = false;
  options.resume = true;
  PruneOptions other = options;
  other.heads = 0.5;
  EXPECT_EQ(run(other).error().code, Code::kPrecondition);
  const auto told = run(options);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(sum("unbroken"), sum("broken"));
  options.out = folder_ / "plain";
  options.recover = 0;
  EXPECT_NE(run(options).error().message.find("--recover"), std::string::npos);
}

TEST_F(ShrinkTest, WhatDoesNotPassIsNeverUnderItsName) {
  const Json figures = {{"accuracy", 0.9}, {"bytes", 1}, {"p50_ms", 1}};
  const Json told = {{"before", figures}, {"after", figures}, {"lost", 3.5}};
  const auto refused =
      pass_gate(disk_, {"whole", folder_ / "teacher", folder_ / "named", 1}, told, progress_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
  EXPECT_NE(refused.error().message.find("3.50 points"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "named"));
  EXPECT_TRUE(fs::exists(folder_ / "named.refused/model.safetensors"));
  EXPECT_TRUE(pass_gate(disk_, {"whole", folder_ / "named.refused", folder_ / "named", -1}, told,
                        progress_));
  EXPECT_TRUE(fs::exists(folder_ / "named/model.safetensors"));
}

TEST_F(ShrinkTest, NothingToCutIsTold) {
  EXPECT_EQ(run(prune_options()).error().code, Code::kInvalidArgument);
  PruneOptions options = prune_options();
  options.heads = 1.5;
  EXPECT_EQ(run(options).error().code, Code::kInvalidArgument);
  options.heads = std::nan("");
  EXPECT_EQ(run(options).error().message.find("--heads"), 0U);
  EXPECT_FALSE(fs::exists(options.out));
}

// A head whose output is thrown away and a neuron that writes nothing are the least important; a
// cut of what is thrown away changes no score.
TEST_F(ShrinkTest, WhatWritesNothingIsLeastImportant) {
  Bundle bundle = load_bundle(folder_ / "teacher").value();
  {
    const torch::NoGradGuard no_grad;
    bundle.model->encoder->layers[1]->attention->output->weight.narrow(1, 16, 8).zero_();
    bundle.model->encoder->layers[0]->down->weight.select(1, 7).zero_();
  }
  const RowFile rows = read_rows(folder_ / "train.jsonl", Task::kClassify).value();
  const Exam exam = make_exam(rows, bundle.task, bundle.tokenizer, bundle.labels, 16);
  const auto found = importance_of(bundle, exam, stop_);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(most_important(found->heads[1], 3), (std::vector<std::int64_t>{0, 1, 3}));
  EXPECT_EQ(found->neurons[0][7], 0);
  EXPECT_EQ(found->columns.size(), 32U);
  EncoderCut cut;
  cut.heads = {{0, 1, 2, 3}, {0, 1, 3}};
  Bundle smaller = bundle;
  smaller.model = cut_model(bundle.model, bundle.task, cut, 0);
  EXPECT_TRUE(torch::allclose(scores(smaller, "c d e"), scores(bundle, "c d e"), 1e-5, 1e-5));
}

// The tokenizer and the word table lose the same pieces: a text of those that stay has other ids
// and the same scores.
TEST_F(ShrinkTest, PiecesThatStayKeepTheirVectors) {
  const Bundle bundle = load_bundle(folder_ / "teacher").value();
  EncoderCut cut;
  cut.pieces = {0, 1, 2, 3, 4, 6, 9};  // the control pieces, b and e
  std::vector<std::string> kept;
  for (const std::int64_t id : cut.pieces) {
    kept.push_back(bundle.tokenizer.pieces()[static_cast<std::size_t>(id)]);
  }
  Bundle smaller = bundle;
  smaller.tokenizer = model::WordPiece::make(kept, bundle.tokenizer.rules()).value();
  smaller.model = cut_model(bundle.model, bundle.task, cut, 0);
  EXPECT_EQ(smaller.model->encoder->shape().vocabulary, 7);
  EXPECT_NE(smaller.tokenizer.encode("b e", 16).ids, bundle.tokenizer.encode("b e", 16).ids);
  Bundle whole = bundle;
  EXPECT_TRUE(torch::allclose(scores(smaller, "b e"), scores(whole, "b e"), 1e-5, 1e-5));
}

// Of a long file sorted by label each label is asked about.
TEST(AskedRows, AreDrawnFromTheWholeFileAlwaysTheSame) {
  EXPECT_EQ(asked_rows(3), (std::vector<std::size_t>{0, 1, 2}));
  const auto asked = asked_rows(4 * kAskedRowsMax);
  EXPECT_EQ(asked.size(), kAskedRowsMax);
  EXPECT_EQ(asked, asked_rows(4 * kAskedRowsMax));
  EXPECT_EQ(std::adjacent_find(asked.begin(), asked.end(), std::greater_equal<>()), asked.end());
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    const auto inside = std::count_if(asked.begin(), asked.end(), [&](std::size_t row) {
      return row / kAskedRowsMax == quarter;
    });
    EXPECT_NEAR(static_cast<double>(inside), kAskedRowsMax / 4, 150);
  }
}

TEST(MostImportantOfAll, KeepsSomeOfEachLayerInSteps) {
  const std::vector<std::vector<double>> layers = {{9, 8, 7, 6}, {0.1, 0.4, 0.3, 0.2}};
  EXPECT_EQ(most_important_of_all(layers, 0.5, 1, 1),
            (std::vector<std::vector<std::int64_t>>{{0, 1, 2, 3}, {1}}));
  EXPECT_EQ(most_important_of_all(layers, 0.5, 2, 2),
            (std::vector<std::vector<std::int64_t>>{{0, 1, 2, 3}, {1, 2}}));
}

}  // namespace
}  // namespace qiao::learn
