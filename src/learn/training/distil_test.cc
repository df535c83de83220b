// SPDX-License-Identifier: Apache-2.0
#include "learn/training/distil.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "learn/files/bundle.h"
#include "learn/testing/letters.h"
#include "learn/testing/training_test.h"
#include "learn/training/teacher.h"

namespace qiao::learn {
namespace {

class DistilTest : public testing::TrainingTest {
 protected:
  void SetUp() override {
    testing::write_letters_base(folder_, 3);
    FinetuneOptions teacher = options("teacher");
    teacher.base = folder_ / "base";
    ASSERT_TRUE(finetune(disk_, teacher, progress_, stop_));
  }

  FinetuneOptions options(const std::string& out) {
    FinetuneOptions options = testing::letters_options(folder_, out);
    options.base = "";
    return options;
  }
  Result<Json> run(std::int64_t layers, double lost_max, std::int64_t epochs) {
    DistilOptions distilled;
    distilled.teacher = folder_ / "teacher";
    distilled.layers = layers;
    distilled.allow_loss = lost_max;
    distilled.train = options("student");
    distilled.train.epochs = epochs;
    return distil(disk_, distilled, progress_, stop_);
  }
  Batch four_texts(const Bundle& teacher) {
    const RowFile rows = read_rows(folder_ / "dev.jsonl", Task::kClassify).value();
    const Exam exam = make_exam(rows, teacher.task, teacher.tokenizer, teacher.labels, 16);
    return make_batch(exam.examples, {0, 1, 2, 3}, exam.task, teacher.tokenizer.pad());
  }
};

TEST_F(DistilTest, AStudentOfOneLayerAnswersAsItsTeacher) {
  const auto told = run(1, 5, 12);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_GT((*told)["after"]["accuracy"].get<double>(), 0.9);
  EXPECT_LT((*told)["after"]["bytes"].get<double>(), (*told)["before"]["bytes"].get<double>());
  EXPECT_EQ(load_bundle(folder_ / "student")->shape.layers, 1);
}

TEST_F(DistilTest, WhatLosesTooMuchIsRefusedAndSetAside) {
  DistilOptions hopeless;
  hopeless.teacher = folder_ / "teacher";
  hopeless.layers = 1;
  hopeless.train = options("student");
  hopeless.train.epochs = 1;
  hopeless.train.rate = 1e-9;  // learns nothing
  hopeless.allow_loss = -100;  // any: it is written
  ASSERT_TRUE(distil(disk_, hopeless, progress_, stop_));
  hopeless.train.out = folder_ / "other";
  hopeless.allow_loss = 0;
  const auto refused = distil(disk_, hopeless, progress_, stop_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "other.refused/model.safetensors"));
}

TEST_F(DistilTest, ANarrowerStudentHasHeadsOfTheSameWidth) {
  DistilOptions narrow;
  narrow.teacher = folder_ / "teacher";
  narrow.layers = 2;
  narrow.width = 8;
  narrow.inner = 16;
  narrow.train = options("student");
  narrow.train.epochs = 12;
  narrow.allow_loss = 10;
  const auto told = distil(disk_, narrow, progress_, stop_);
  ASSERT_TRUE(told) << told.error().message;
  const EncoderShape shape = load_bundle(folder_ / "student")->shape;
  EXPECT_EQ(shape.width, 8);
  EXPECT_EQ(shape.heads, 1);
  EXPECT_EQ(shape.inner, 16);
  narrow.train.out = folder_ / "other";
  narrow.width = 12;
  EXPECT_EQ(distil(disk_, narrow, progress_, stop_).error().code, Code::kInvalidArgument);
}

TEST_F(DistilTest, ATableKnowsWhatTokensMean) {
  DistilOptions table;
  table.teacher = folder_ / "teacher";
  table.table = true;
  table.train = options("student");
  table.train.epochs = 12;
  table.allow_loss = 10;
  const auto told = distil(disk_, table, progress_, stop_);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_GT((*told)["after"]["accuracy"].get<double>(), 0.9);
  EXPECT_TRUE(load_bundle(folder_ / "student")->shape.is_table());
}

// A student that is its teacher has the same relations; another has not.
TEST_F(DistilTest, RelationsAreEqualOfTheSameModelAlone) {
  Bundle teacher = load_bundle(folder_ / "teacher").value();
  const auto apart = relations_loss(teacher, 1);
  const Batch batch = four_texts(teacher);
  Relations seen;
  teacher.model->run(batch.ids, batch.present, {}, &seen);
  EXPECT_NEAR(apart(batch, seen).item<double>(), 0, 1e-6);
  seen.value = seen.value * 2;
  const torch::Tensor loss = apart(batch, seen);
  EXPECT_GT(loss.item<double>(), 1e-4);
  loss.backward();
  const torch::Tensor gradient =
      teacher.model->encoder->layers.back()->attention->value->weight.grad();
  EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>());
}

// Widths without a common number of heads are cut into fewer parts.
TEST_F(DistilTest, RelationsOfAnotherWidthAreCompared) {
  Bundle teacher = load_bundle(folder_ / "teacher").value();
  const auto apart = relations_loss(teacher, 1);
  const Batch batch = four_texts(teacher);
  const torch::Tensor narrow = torch::randn({4, batch.ids.size(1), 5});
  const double loss = apart(batch, {narrow, narrow, narrow}).item<double>();
  EXPECT_TRUE(std::isfinite(loss));
  EXPECT_GT(loss, 0);
}

TEST_F(DistilTest, TheStudentMustBeSmaller) {
  EXPECT_EQ(run(3, 1, 1).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao::learn
