// SPDX-License-Identifier: Apache-2.0
#include "learn/training/finetune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "learn/evaluation/evaluate.h"
#include "learn/evaluation/served.h"
#include "learn/files/base_model.h"
#include "learn/files/bundle.h"
#include "learn/files/json_file.h"
#include "learn/testing/letters.h"
#include "learn/testing/training_test.h"
#include "learn/training/quantise.h"
#include "model/bundle/text_head.h"

namespace qiao::learn {
namespace {

class FinetuneTest : public testing::TrainingTest {
 protected:
  void SetUp() override { testing::write_letters_base(folder_, 1); }

  FinetuneOptions options(const std::string& out) { return testing::letters_options(folder_, out); }

  Result<Json> run(const FinetuneOptions& options) {
    return finetune(disk_, options, progress_, stop_);
  }

  // A run that is stopped after `steps` of them and goes on ends as an unbroken one.
  void expect_resumed_to_the_bit(FinetuneOptions wanted, std::int64_t steps) {
    wanted.out = folder_ / "unbroken";
    ASSERT_TRUE(run(wanted));
    wanted.out = folder_ / "broken";
    wanted.stop_after = steps;
    ASSERT_FALSE(run(wanted));
    wanted.stop_after = 0;
    wanted.resume = true;
    ASSERT_TRUE(run(wanted));
    EXPECT_EQ(sum("unbroken"), sum("broken"));
    EXPECT_EQ(read_file(folder_ / "unbroken/curves.csv").value(),
              read_file(folder_ / "broken/curves.csv").value());
  }
  static Report report_of(Bundle& bundle, const RowFile& rows, bool bfloat16 = false) {
    const Exam exam =
        make_exam(rows, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
    return evaluate(bundle.model, exam, bundle.labels, bundle.tokenizer.pad(), bfloat16).value();
  }
};

TEST_F(FinetuneTest, LearnsLabelsAndTheBundleSaysTheSame) {
  const auto card = run(options("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "accuracy").value_or(0), 0.95);
  EXPECT_EQ((*card)["data"]["train"]["rows"], 200);

  Bundle bundle = load_bundle(folder_ / "bundle").value();
  const RowFile dev = read_rows(folder_ / "dev.jsonl", Task::kClassify).value();
  const Report report = report_of(bundle, dev);
  EXPECT_DOUBLE_EQ(report.accuracy, json_number((*card)["dev"], "accuracy").value_or(0));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle.partial"));
}

// Confidence is that of the server, which divides by the card's temperature.
TEST_F(FinetuneTest, IsAskedWithTheTemperatureItIsServedWith) {
  const auto card = run(options("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  Bundle bundle = load_bundle(folder_ / "bundle").value();
  const RowFile dev = read_rows(folder_ / "dev.jsonl", Task::kClassify).value();
  Exam exam = make_exam(dev, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
  const auto ask = [&] {
    return evaluate(bundle.model, exam, bundle.labels, bundle.tokenizer.pad(), false).value();
  };
  const Report plain = ask();
  exam.temperature = temperature_of(bundle.card).value();
  const Report served = ask();
  EXPECT_GT(std::abs(exam.temperature - 1), 0.01);
  EXPECT_LT(served.loss, plain.loss);
  EXPECT_DOUBLE_EQ(served.accuracy, plain.accuracy);
  EXPECT_NEAR(served.calibration_error, json_number((*card)["calibration"], "error").value_or(-1),
              1e-6);
}

TEST_F(FinetuneTest, LearnsTags) {
  FinetuneOptions wanted = options("bundle");
  wanted.task = Task::kTag;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "entity_f1").value_or(0), 0.95);
}

// What follows what is learnt, kept in the bundle and used.
TEST_F(FinetuneTest, LearnsHowTagsFollowEachOther) {
  FinetuneOptions wanted = options("bundle");
  wanted.task = Task::kTag;
  ASSERT_TRUE(run(wanted));
  const Bundle bundle = load_bundle(folder_ / "bundle").value();
  EXPECT_GT(bundle.model->transitions.abs().max().item<double>(), 0.01);
  wanted.out = folder_ / "weighted";
  wanted.class_weights = true;
  EXPECT_EQ(run(wanted).error().code, Code::kInvalidArgument);
}

TEST_F(FinetuneTest, TagsAreResumedToTheBitAndServedAlike) {
  FinetuneOptions wanted = options("bundle");
  wanted.task = Task::kTag;
  expect_resumed_to_the_bit(wanted, 9);
  auto served = ServedBundle::open(folder_ / "broken", 1);
  if (!served && served.error().code == Code::kUnsupported) GTEST_SKIP() << "without llama.cpp";
  ASSERT_TRUE(served) << served.error().message;
  Bundle bundle = load_bundle(folder_ / "broken").value();
  const RowFile file = read_rows(folder_ / "dev.jsonl", Task::kTag).value();
  const Report report = report_of(bundle, file);
  EntityScore told;
  EntityScore here;
  for (std::size_t i = 0; i < file.rows.size(); ++i) {
    const auto given = (*served)->ask(file.rows[i].text);
    ASSERT_TRUE(given) << given.error().message;
    const auto expected = entities_of(file.rows[i].tags);
    told.given += given->entities.size();
    for (const Entity& entity : given->entities) {
      told.right += std::find(expected.begin(), expected.end(), entity) != expected.end() ? 1 : 0;
    }
    here += report.tagged[i].entities;
  }
  EXPECT_GT(here.right, 0U);
  EXPECT_EQ(told.given, here.given);
  EXPECT_EQ(told.right, here.right);
}

// The label is what the second text says, whatever stands in the first.
TEST_F(FinetuneTest, LearnsPairs) {
  folder_.write("train.jsonl", testing::letter_pairs(400, 1));
  folder_.write("dev.jsonl", testing::letter_pairs(60, 2));
  FinetuneOptions wanted = options("bundle");
  wanted.task = Task::kPair;
  wanted.epochs = 6;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "accuracy").value_or(0), 0.95);
  EXPECT_EQ(load_bundle(folder_ / "bundle")->task, Task::kPair);
}

class FinetuneNumbersTest : public FinetuneTest {
 protected:
  void SetUp() override {
    FinetuneTest::SetUp();
    folder_.write("train.jsonl", testing::letter_numbers(300, 1));
    folder_.write("dev.jsonl", testing::letter_numbers(40, 2));
  }

  FinetuneOptions numbers(const std::string& out) {
    FinetuneOptions wanted = options(out);
    wanted.task = Task::kRegress;
    wanted.epochs = 6;
    return wanted;
  }

  const RowFile dev() { return read_rows(folder_ / "dev.jsonl", Task::kRegress).value(); }
};

// Far from 0: bfloat16 would tell numbers over 1,024 in steps of 8.
TEST_F(FinetuneNumbersTest, LearnsNumbersAndTheBundleSaysTheSame) {
  FinetuneOptions wanted = numbers("bundle");
  wanted.bfloat16 = true;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  const double r2 = json_number((*card)["dev"], "r2").value_or(0);
  EXPECT_GT(r2, 0.9);
  EXPECT_FALSE(card->contains("calibration"));

  Bundle bundle = load_bundle(folder_ / "bundle").value();
  const RowFile file = dev();
  const Report report = report_of(bundle, file, true);
  EXPECT_NEAR(report.regression.r2, r2, 1e-3);  // the scale is folded into the head
  EXPECT_GT(report.regression.spearman, 0.9);
  EXPECT_LT(report.regression.mae, 10);
}

TEST_F(FinetuneNumbersTest, NumbersAreServedAlike) {
  ASSERT_TRUE(run(numbers("bundle")));
  QuantiseOptions small{folder_ / "bundle", "", folder_ / "dev.jsonl", folder_ / "int8", 5};
  const auto told = quantise(disk_, small, progress_, stop_);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_GT((*told)["after"]["r2"].get<double>(), 0.85);
  EXPECT_FALSE(told->contains("agreement"));
  auto served = ServedBundle::open(folder_ / "bundle", 1);
  if (!served && served.error().code == Code::kUnsupported) GTEST_SKIP() << "without llama.cpp";
  ASSERT_TRUE(served) << served.error().message;
  Bundle bundle = load_bundle(folder_ / "bundle").value();
  const RowFile file = dev();
  const Report report = report_of(bundle, file);
  for (std::size_t i = 0; i < file.rows.size(); ++i) {
    const auto given = (*served)->ask(file.rows[i].text);
    ASSERT_TRUE(given) << given.error().message;
    EXPECT_NEAR(given->number.value_or(0), report.numbers[i].given, 0.5) << file.rows[i].text;
  }
}

TEST_F(FinetuneNumbersTest, IsResumedToTheBitAndHasNoLabels) {
  expect_resumed_to_the_bit(numbers("bundle"), 15);
  FinetuneOptions weighted = numbers("weighted");
  weighted.class_weights = true;
  EXPECT_NE(run(weighted).error().message.find("--class-weights"), std::string::npos);
}

class FinetuneHeadsTest : public FinetuneTest {
 protected:
  void SetUp() override {
    FinetuneTest::SetUp();
    folder_.write("train.jsonl", testing::letter_heads(300, 1));
    folder_.write("dev.jsonl", testing::letter_heads(60, 2));
  }

  FinetuneOptions heads(const std::string& out) {
    FinetuneOptions wanted = options(out);
    wanted.task = Task::kHeads;
    wanted.epochs = 8;
    wanted.rate = 1e-2;
    return wanted;
  }

  const RowFile dev() { return read_rows(folder_ / "dev.jsonl", Task::kHeads).value(); }
};

TEST_F(FinetuneHeadsTest, LearnsAllHeadsAndTheBundleSaysTheSame) {
  const auto card = run(heads("bundle"));
  ASSERT_TRUE(card) << card.error().message;
  const Json& told = (*card)["dev"];
  EXPECT_GT(told["heads"]["side"]["accuracy"].get<double>(), 0.95);
  EXPECT_GT(told["heads"]["named"]["accuracy"].get<double>(), 0.9);
  EXPECT_LT(told["heads"]["side"]["n"], 60);
  EXPECT_NEAR(told["accuracy"].get<double>(),
              (told["heads"]["side"]["accuracy"].get<double>() +
               told["heads"]["named"]["accuracy"].get<double>()) /
                  2,
              1e-12);
  EXPECT_GT(json_number((*card)["calibration"]["heads"]["named"], "temperature").value_or(0), 0);
  EXPECT_NE(read_file(folder_ / "bundle/README.md")->find("heads side accuracy"),
            std::string::npos);

  Bundle bundle = load_bundle(folder_ / "bundle").value();
  EXPECT_EQ(bundle.task, Task::kHeads);
  EXPECT_EQ(read_file(folder_ / "bundle/labels.json").value().find("\"named\""),
            read_file(folder_ / "bundle/labels.json").value().find('"'));  // the first of both
  const RowFile file = dev();
  const Report report = report_of(bundle, file);
  EXPECT_DOUBLE_EQ(report.accuracy, told["accuracy"].get<double>());
  EXPECT_DOUBLE_EQ(report.loss, told["loss"].get<double>());
}

// Also what a quantised one says; the texts' chances are those of our scores and temperatures.
TEST_F(FinetuneHeadsTest, AreServedAlike) {
  ASSERT_TRUE(run(heads("bundle")));
  QuantiseOptions small{folder_ / "bundle", "", folder_ / "dev.jsonl", folder_ / "int8", 5};
  const auto told = quantise(disk_, small, progress_, stop_);
  ASSERT_TRUE(told) << told.error().message;
  Bundle bundle = load_bundle(folder_ / "bundle").value();
  const RowFile file = dev();
  const Report report = report_of(bundle, file);
  EXPECT_NEAR((*told)["before"]["accuracy"].get<double>(), report.accuracy, 1e-9);
  EXPECT_GT((*told)["agreement"].get<double>(), 0.9);
  auto served = ServedBundle::open(folder_ / "bundle", 1);
  if (!served && served.error().code == Code::kUnsupported) GTEST_SKIP() << "without llama.cpp";
  ASSERT_TRUE(served) << served.error().message;
  for (std::size_t i = 0; i < file.rows.size(); ++i) {
    const auto given = (*served)->ask(file.rows[i].text);
    ASSERT_TRUE(given) << given.error().message;
    for (std::size_t h = 0; h < report.heads.size(); ++h) {
      const auto& answer = report.heads[h].answers[i];
      if (!answer) continue;
      const LabelHead& head = bundle.labels.heads()[h];
      EXPECT_EQ(given->labels.at(head.name),
                head.labels.names()[static_cast<std::size_t>(answer->given)])
          << file.rows[i].text;
    }
  }
}

TEST_F(FinetuneHeadsTest, AreResumedToTheBit) {
  FinetuneOptions wanted = heads("bundle");
  wanted.class_weights = true;
  expect_resumed_to_the_bit(wanted, 15);
}

TEST_F(FinetuneHeadsTest, WhatDoesNotGoIsNamed) {
  FinetuneOptions wanted = heads("bundle");
  wanted.contrast = 1;
  EXPECT_NE(run(wanted).error().message.find("--contrast"), std::string::npos);
  wanted.contrast = 0;
  folder_.write("dev.jsonl", R"({"text":"a","labels":{"side":"x","mood":"calm"}})");
  EXPECT_NE(run(wanted).error().message.find("dev.jsonl:1: there is no head \"mood\""),
            std::string::npos);
}

// One epoch of labels is too little without it.
TEST_F(FinetuneTest, ContrastDrawsTextsOfOneLabelTogether) {
  FinetuneOptions wanted = options("plain");
  wanted.epochs = 1;
  const auto plain = run(wanted);
  ASSERT_TRUE(plain) << plain.error().message;
  wanted.out = folder_ / "bundle";
  wanted.contrast = 6;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ((*card)["options"]["contrast"], 6);
  EXPECT_EQ((*card)["epochs"].size(), 1U);
  EXPECT_EQ((*card)["best_epoch"], 1);
  const double without = json_number((*plain)["dev"], "accuracy").value_or(1);
  EXPECT_LT(without, json_number((*card)["dev"], "accuracy").value_or(0)) << without;
  wanted.out = folder_ / "tags";
  wanted.task = Task::kTag;
  EXPECT_NE(run(wanted).error().message.find("--contrast"), std::string::npos);
}

// Every matrix of a layer moves by a change of rank 2 that the bundle's weights hold, and nothing
// else of the encoder does.
TEST_F(FinetuneTest, LoraLearnsAChangeOfThatRankAlone) {
  FinetuneOptions wanted = options("bundle");
  wanted.lora = 2;
  wanted.epochs = 8;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "accuracy").value_or(0), 0.95);
  const Bundle bundle = load_bundle(folder_ / "bundle").value();
  const BaseModel base = open_base(folder_ / "base").value();
  const Encoder before(base.shape, 0.0);
  ASSERT_TRUE(load_weights(weights_of(before), *base.weights));
  const NamedTensors was = weights_of(before);
  const NamedTensors is = weights_of(bundle.model->encoder);
  for (std::size_t i = 0; i < was.size(); ++i) {
    const torch::Tensor change = (is[i].second - was[i].second).detach();
    const bool layer = was[i].first.starts_with("encoder.layer.") && change.dim() == 2;
    if (!layer) {
      EXPECT_EQ(change.abs().max().item<double>(), 0) << was[i].first;
      continue;
    }
    const torch::Tensor values = torch::linalg_svdvals(change);
    EXPECT_GT(values[1].item<double>(), 1e-4) << was[i].first;
    EXPECT_LT(values[2].item<double>(), 1e-5) << was[i].first;
  }
}

TEST_F(FinetuneTest, LoraIsResumedToTheBit) {
  FinetuneOptions wanted = options("bundle");
  wanted.lora = 4;
  expect_resumed_to_the_bit(wanted, 9);
  wanted.adversary = 1;
  EXPECT_NE(run(wanted).error().message.find("--lora"), std::string::npos);
}

TEST_F(FinetuneTest, LearnsAgainstAPush) {
  FinetuneOptions wanted = options("bundle");
  wanted.adversary = 0.5;
  wanted.epochs = 10;  // it learns slower than without
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_GT(json_number((*card)["dev"], "accuracy").value_or(0), 0.95);
}

TEST_F(FinetuneTest, LearnsUnderTwoDropouts) {
  for (const Task task : {Task::kClassify, Task::kTag}) {
    FinetuneOptions wanted = options(std::string(name_of(task)));
    wanted.task = task;
    wanted.epochs = 6;
    ASSERT_TRUE(run(wanted));
    const std::string without = sum(std::string(name_of(task)));
    wanted.r_drop = 1;
    wanted.out += "-r-drop";
    const auto card = run(wanted);
    ASSERT_TRUE(card) << card.error().message;
    EXPECT_GT(json_number((*card)["dev"], quality_name(task)).value_or(0), 0.95);
    EXPECT_NE(sum(std::string(name_of(task)) + "-r-drop"), without);
  }
  FinetuneOptions wanted = options("bundle");
  wanted.r_drop = 1;
  expect_resumed_to_the_bit(wanted, 4);
  wanted.r_drop = -2;
  EXPECT_NE(run(wanted).error().message.find("--r-drop"), std::string::npos);
}

// What a command line without options runs: the defaults as they stand must be a training.
TEST_F(FinetuneTest, TheDefaultsTrain) {
  FinetuneOptions plain;
  plain.base = folder_ / "base";
  plain.train = folder_ / "train.jsonl";
  plain.dev = folder_ / "dev.jsonl";
  plain.out = folder_ / "bundle";
  const auto card = run(plain);
  ASSERT_TRUE(card) << card.error().message;
  const Json& epochs = (*card)["epochs"];
  ASSERT_GT(epochs.size(), 1U);
  EXPECT_EQ((*card)["options"]["r_drop"], 1.0);
  EXPECT_LT(json_number(epochs.back(), "train_loss").value_or(9),
            json_number(epochs.front(), "train_loss").value_or(0));
}

TEST_F(FinetuneTest, TheSameSeedGivesTheSameBytes) {
  ASSERT_TRUE(run(options("one")));
  ASSERT_TRUE(run(options("two")));
  FinetuneOptions other = options("three");
  other.seed = 2;
  ASSERT_TRUE(run(other));
  EXPECT_EQ(sum("one"), sum("two"));
  EXPECT_NE(sum("one"), sum("three"));
}

TEST_F(FinetuneTest, TheBestOfSeedsIsKept) {
  FinetuneOptions wanted = options("bundle");
  wanted.epochs = 1;
  wanted.seeds = 3;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  double best = 0;
  for (const Json& one : (*card)["seeds"]) {
    best = std::max(best, json_number(one, "dev").value_or(0));
  }
  EXPECT_EQ((*card)["seeds"].size(), 3U);
  EXPECT_EQ(json_number((*card)["dev"], "accuracy").value_or(-1), best);
  EXPECT_EQ(load_bundle(folder_ / "bundle")->card["seeds"], (*card)["seeds"]);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle.seed1"));
}

// Stopped in its second seed: the first is taken as it is.
TEST_F(FinetuneTest, SeedsGoOnWhereTheyStopped) {
  FinetuneOptions wanted = options("bundle");
  wanted.seeds = 2;
  FinetuneOptions first = options("bundle.seed1");
  ASSERT_TRUE(run(first));
  const std::string kept = sum("bundle.seed1");
  wanted.resume = true;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ((*card)["seeds"].size(), 2U);
  if ((*card)["options"]["seed"] == 1) {
    EXPECT_EQ(sum("bundle"), kept);
  }
}

TEST_F(FinetuneTest, AFinishedSeedOfAnotherRunIsRefused) {
  ASSERT_TRUE(run(options("bundle.seed1")));
  const auto refused = [this](FinetuneOptions other) {
    other.seeds = 2;
    other.resume = true;
    const auto card = run(other);
    return !card && card.error().code == Code::kPrecondition &&
           card.error().message.find("is of another run") != std::string::npos;
  };
  FinetuneOptions longer = options("bundle");
  longer.epochs = 4;
  EXPECT_TRUE(refused(longer));
  FinetuneOptions faster = options("bundle");
  faster.rate = 4e-3;
  EXPECT_TRUE(refused(faster));
  folder_.write("dev.jsonl", testing::letters_rows(40, 3));
  EXPECT_TRUE(refused(options("bundle")));
  testing::write_letters_base(folder_, 1, 32);  // the same rows again, another base
  EXPECT_TRUE(refused(options("bundle")));
}

// A fold of two parts has 12 steps, the training on all of --train 21: it is stopped in this one.
// The folds are taken as they are; the figure that stands in a card tells it.
TEST_F(FinetuneTest, FoldsAreKeptUntilAllIsDone) {
  FinetuneOptions wanted = options("bundle");
  wanted.folds = 2;
  wanted.stop_after = 15;
  ASSERT_FALSE(run(wanted));
  const std::string fold = "bundle.fold1/card.json";
  auto kept = read_json_file(folder_ / fold);
  ASSERT_TRUE(kept) << kept.error().message;
  (*kept)["dev"]["accuracy"] = 0.125;
  folder_.write(fold, dump_json(*kept));
  wanted.stop_after = 0;
  wanted.resume = true;
  FinetuneOptions thirds = wanted;
  thirds.folds = 3;
  EXPECT_EQ(run(thirds).error().code, Code::kPrecondition);
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  EXPECT_EQ((*card)["folds"]["figures"][0], 0.125);
  EXPECT_EQ(load_bundle(folder_ / "bundle")->card["folds"], (*card)["folds"]);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle.fold1"));
}

TEST_F(FinetuneTest, AStoppedFoldOfOtherPartsIsNotGoneOnWith) {
  FinetuneOptions wanted = options("bundle");
  wanted.folds = 2;
  wanted.stop_after = 5;
  ASSERT_FALSE(run(wanted));
  wanted.stop_after = 0;
  wanted.resume = true;
  FinetuneOptions thirds = wanted;
  thirds.folds = 3;
  const auto other = run(thirds);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kPrecondition);
  EXPECT_TRUE(run(wanted));
}

TEST_F(FinetuneTest, FoldsTellMeanAndDeviation) {
  FinetuneOptions wanted = options("bundle");
  wanted.folds = 3;
  const auto card = run(wanted);
  ASSERT_TRUE(card) << card.error().message;
  const Json& folds = (*card)["folds"];
  EXPECT_EQ(folds["figures"].size(), 3U);
  EXPECT_GT(json_number(folds, "mean").value_or(0), 0.9);
  EXPECT_EQ((*card)["data"]["train"]["rows"], 200);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle.fold1"));
  wanted.out = folder_ / "other";
  wanted.folds = 1;
  EXPECT_EQ(run(wanted).error().code, Code::kInvalidArgument);
}

// Stopped before its first step, and so again in every later one: the end is that of an unbroken
// run, to the bit.
TEST_F(FinetuneTest, AResumedRunEndsAsAnUnbrokenOne) {
  const auto with_contrast = [this](const std::string& out) {
    FinetuneOptions wanted = options(out);
    wanted.contrast = 1;
    return wanted;
  };
  ASSERT_TRUE(run(with_contrast("unbroken")));
  stop_ = true;
  const auto stopped = run(with_contrast("broken"));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_NE(stopped.error().message.find("--resume"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "broken"));

  FinetuneOptions again = with_contrast("broken");
  again.resume = true;
  again.seed = 9;
  EXPECT_EQ(run(again).error().code, Code::kPrecondition);  // not the run that was saved
  again.seed = 1;
  again.stop_after = 5;
  stop_ = false;
  ASSERT_FALSE(run(again));
  again.stop_after = 18;
  ASSERT_FALSE(run(again));
  again.stop_after = 0;
  const auto resumed = run(again);
  ASSERT_TRUE(resumed) << resumed.error().message;
  EXPECT_EQ(sum("unbroken"), sum("broken"));
}

TEST_F(FinetuneTest, ARateTooHighIsToldAndLeavesNoBundle) {
  FinetuneOptions wild = options("bundle");
  wild.rate = 1e30;
  const auto card = run(wild);
  ASSERT_FALSE(card);
  EXPECT_EQ(card.error().code, Code::kModelFailed);
  EXPECT_NE(card.error().message.find("--rate"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "bundle"));
}

TEST_F(FinetuneTest, NumbersOutOfRangeAreNamed) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  constexpr std::pair<const char*, double FinetuneOptions::*> kNumbers[] = {
      {"--rate", &FinetuneOptions::rate},
      {"--head-rate", &FinetuneOptions::head_rate},
      {"--layer-decay", &FinetuneOptions::layer_decay},
      {"--warmup", &FinetuneOptions::warmup},
      {"--dropout", &FinetuneOptions::dropout},
      {"--smoothing", &FinetuneOptions::smoothing},
      {"--adversary", &FinetuneOptions::adversary},
      {"--r-drop", &FinetuneOptions::r_drop}};
  for (const auto& [name, number] : kNumbers) {
    for (const double value : {std::nan(""), kInfinite, -0.5}) {
      FinetuneOptions wrong = options("bundle");
      wrong.*number = value;
      const auto card = run(wrong);
      ASSERT_FALSE(card) << name << ' ' << value;
      EXPECT_EQ(card.error().code, Code::kInvalidArgument) << name << ' ' << value;
      EXPECT_EQ(card.error().message.find(name), 0U) << card.error().message;
    }
  }
}

TEST_F(FinetuneTest, WrongInputIsNamed) {
  FinetuneOptions wrong = options("bundle");
  folder_.write("other.jsonl", "{\"text\":\"a\",\"label\":\"z\"}\n");
  wrong.dev = folder_ / "other.jsonl";
  EXPECT_NE(run(wrong).error().message.find("other.jsonl:1: \"z\""), std::string::npos);

  const std::string weights = read_file(folder_ / "base/model.safetensors").value();
  folder_.write("base/model.safetensors", weights.substr(0, weights.size() - 100));
  const auto cut = run(options("bundle"));
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::kCorrupt);
  EXPECT_NE(cut.error().message.find("output.LayerNorm"), std::string::npos) << cut.error().message;
}

}  // namespace
}  // namespace qiao::learn
