// SPDX-License-Identifier: Apache-2.0
#include "learn/training/distil.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "learn/files/bundle.h"
#include "learn/testing/letters.h"
#include "learn/testing/stopping_disk.h"
#include "learn/testing/training_test.h"
#include "learn/training/prune.h"
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

// Stopped while it was measured: its bytes and their time stay, and another distillation is not
// taken for it.
TEST_F(DistilTest, AFinishedStudentIsMeasuredWithoutAnotherTraining) {
  DistilOptions wanted;
  wanted.teacher = folder_ / "teacher";
  wanted.layers = 1;
  wanted.allow_loss = -1;
  wanted.train = options("student");
  testing::StoppingDisk stopping("/student.unmeasured", stop_);
  const auto stopped = distil(stopping, wanted, progress_, stop_);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_NE(stopped.error().message.find("--resume"), std::string::npos);
  stop_ = false;
  const std::string made = folder_ / "student.unmeasured/model.safetensors";
  ASSERT_TRUE(std::filesystem::exists(made));
  const std::string bytes = sum("student.unmeasured");
  const auto time = std::filesystem::last_write_time(made);
  wanted.train.resume = true;
  DistilOptions other = wanted;
  other.relations = 0.5;
  EXPECT_EQ(distil(disk_, other, progress_, stop_).error().code, Code::kPrecondition);
  other = wanted;
  other.inner = 16;
  EXPECT_EQ(distil(disk_, other, progress_, stop_).error().code, Code::kPrecondition);
  const auto told = distil(disk_, wanted, progress_, stop_);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(sum("student"), bytes);
  EXPECT_EQ(std::filesystem::last_write_time(folder_ / "student/model.safetensors"), time);
  EXPECT_EQ(load_bundle(folder_ / "student")->card["shrunk"]["measured"], *told);
}

TEST_F(DistilTest, AStoppedStudentOfAnotherDistillationIsNotGoneOnWith) {
  DistilOptions wanted;
  wanted.teacher = folder_ / "teacher";
  wanted.layers = 1;
  wanted.allow_loss = -1;
  wanted.train = options("student");
  wanted.train.stop_after = 5;
  ASSERT_FALSE(distil(disk_, wanted, progress_, stop_));
  wanted.train.stop_after = 0;
  wanted.train.resume = true;
  DistilOptions other = wanted;
  other.relations = 0.5;
  EXPECT_EQ(distil(disk_, other, progress_, stop_).error().code, Code::kPrecondition);
  EXPECT_TRUE(distil(disk_, wanted, progress_, stop_));
}

TEST_F(DistilTest, NumbersOutOfRangeAreNamed) {
  DistilOptions wrong;
  wrong.teacher = folder_ / "teacher";
  wrong.train = options("student");
  wrong.relations = std::nan("");
  EXPECT_EQ(distil(disk_, wrong, progress_, stop_).error().message.find("--relations"), 0U);
  wrong.relations = 1;
  wrong.train.rate = std::nan("");
  EXPECT_EQ(distil(disk_, wrong, progress_, stop_).error().message.find("--rate"), 0U);
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
  const Batch batch = four_texts(teacher);
  Relations known;
  Relations seen;
  teacher.model->run(batch.ids, batch.present, {}, &known);
  teacher.model->run(batch.ids, batch.present, {}, &seen);
  EXPECT_NEAR(relations_apart(known, seen, batch.present, 2).item<double>(), 0, 1e-6);
  for (torch::Tensor* of : {&known.query, &known.key, &known.value}) *of = of->detach();
  seen.value = seen.value * 2;
  const torch::Tensor loss = relations_apart(known, seen, batch.present, 2);
  EXPECT_GT(loss.item<double>(), 1e-4);
  loss.backward();
  const torch::Tensor gradient =
      teacher.model->encoder->layers.back()->attention->value->weight.grad();
  EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>());
}

// Widths without a common number of heads are cut into fewer parts.
TEST_F(DistilTest, RelationsOfAnotherWidthAreCompared) {
  Bundle teacher = load_bundle(folder_ / "teacher").value();
  const Batch batch = four_texts(teacher);
  Relations known;
  teacher.model->run(batch.ids, batch.present, {}, &known);
  const torch::Tensor narrow = torch::randn({4, batch.ids.size(1), 5});
  const double loss =
      relations_apart(known, {narrow, narrow, narrow}, batch.present, 2).item<double>();
  EXPECT_TRUE(std::isfinite(loss));
  EXPECT_GT(loss, 0);
}

// By hand: the row's own answer costs 2, the teacher is sure of it (log 3 more at temperature 3
// each), the student knows nothing, and their vectors stand at a right angle.
TEST_F(DistilTest, TheLossMixesOwnAnswersAndTheTeachers) {
  Bundle bundle = load_bundle(folder_ / "teacher").value();
  {
    const torch::NoGradGuard no_grad;
    bundle.model->head->weight.zero_();
    bundle.model->head->bias.copy_(torch::tensor({3 * std::log(3.0F), 0.0F}));
  }
  const RowFile rows = read_rows(folder_ / "dev.jsonl", Task::kClassify).value();
  const Exam exam = make_exam(rows, bundle.task, bundle.tokenizer, bundle.labels, 16);
  const auto teacher = Teacher::make(bundle, exam, 0, false, stop_);
  ASSERT_TRUE(teacher) << teacher.error().message;
  EXPECT_FALSE(teacher->wants_relations());
  const Batch batch = make_batch(exam.examples, {3}, exam.task, bundle.tokenizer.pad());
  torch::Tensor vectors = bundle.model->run(batch.ids, batch.present).vectors.detach().clone();
  std::swap(vectors.data_ptr<float>()[0], vectors.data_ptr<float>()[1]);
  vectors.narrow(1, 2, vectors.size(1) - 2).zero_();
  const torch::Tensor full = bundle.model->run(batch.ids, batch.present).vectors[0];
  const float x = full[0].item<float>();
  const float y = full[1].item<float>();
  const double near = 2.0 * x * y / (std::hypot(x, y) * full.norm().item<double>());
  const double apart = 0.75 * std::log(1.5) + 0.25 * std::log(0.5);
  const double loss =
      teacher->loss(bundle, torch::tensor(2.0F), batch, {3}, {torch::zeros({1, 2}), vectors}, {})
          .item<double>();
  EXPECT_NEAR(loss, 0.3 * 2 + 0.7 * 9 * apart + (1 - near), 1e-4);
}

// A student whose vocabulary was pruned reads the same pieces by other ids.
TEST_F(DistilTest, TheTeacherReadsTheRowsByItsOwnIds) {
  FinetuneOptions tags = options("tagger");
  tags.base = folder_ / "base";
  tags.task = Task::kTag;
  ASSERT_TRUE(finetune(disk_, tags, progress_, stop_));
  Bundle bundle = load_bundle(folder_ / "tagger").value();
  bundle.model->eval();
  const RowFile rows = read_rows(folder_ / "dev.jsonl", Task::kTag).value();
  const Exam exam = make_exam(rows, bundle.task, bundle.tokenizer, bundle.labels, 16);
  const Teacher teacher = Teacher::make(bundle, exam, 0, false, stop_).value();
  Batch batch = make_batch(exam.examples, {1, 5}, exam.task, bundle.tokenizer.pad());
  const TextOutput output = bundle.model->run(batch.ids, batch.present);
  batch.ids.fill_(1);
  const double loss =
      teacher.loss(bundle, torch::tensor(2.0F), batch, {1, 5}, output, {}).item<double>();
  EXPECT_NEAR(loss, 0.3 * 2, 1e-5);  // what it answers itself it has no more to learn from
}

// Every other task a bundle may have is taught, too: tags, numbers and several heads.
class DistilTasksTest : public DistilTest,
                        public ::testing::WithParamInterface<std::pair<Task, double>> {
 protected:
  void SetUp() override {
    testing::write_letters_base(folder_, 3);
    const auto rows = [&](int count, std::uint64_t seed) {
      if (task() == Task::kHeads) return testing::letter_heads(count, seed);
      if (task() == Task::kRegress) return testing::letter_numbers(count, seed);
      return testing::letters_rows(count, seed);
    };
    folder_.write("train.jsonl", rows(300, 1));
    folder_.write("dev.jsonl", rows(60, 2));
    FinetuneOptions teacher = options("teacher");
    teacher.base = folder_ / "base";
    ASSERT_TRUE(finetune(disk_, teacher, progress_, stop_));
  }

  [[nodiscard]] static Task task() { return GetParam().first; }
  FinetuneOptions options(const std::string& out) {
    FinetuneOptions wanted = DistilTest::options(out);
    wanted.task = task();
    wanted.epochs = 8;
    wanted.rate = task() == Task::kHeads ? 1e-2 : 3e-3;
    return wanted;
  }
  DistilOptions one_layer(const std::string& out) {
    DistilOptions distilled;
    distilled.teacher = folder_ / "teacher";
    distilled.layers = 1;
    distilled.allow_loss = 15;
    distilled.train = options(out);
    return distilled;
  }
  static void expect_good(const Result<Json>& told) {
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_GT((*told)["after"][quality_name(task())].get<double>(), GetParam().second);
  }
};

TEST_P(DistilTasksTest, AStudentOfOneLayerAnswersAsItsTeacher) {
  expect_good(distil(disk_, one_layer("student"), progress_, stop_));
  const Bundle student = load_bundle(folder_ / "student").value();
  EXPECT_EQ(student.shape.layers, 1);
  EXPECT_EQ(student.task, task());
}

// Taught without relations, from answers asked for once.
TEST_P(DistilTasksTest, ANarrowerStudentDoes) {
  DistilOptions narrow = one_layer("student");
  narrow.layers = 2;
  narrow.width = 8;
  narrow.relations = 0;
  expect_good(distil(disk_, narrow, progress_, stop_));
}

TEST_P(DistilTasksTest, ATableIsTaughtWhereTheOrderOfWordsDoesNotCount) {
  DistilOptions table = one_layer("student");
  table.table = true;
  const auto told = distil(disk_, table, progress_, stop_);
  if (task() == Task::kTag) {
    EXPECT_EQ(told.error().code, Code::kUnsupported);
  } else {
    expect_good(told);
  }
}

TEST_P(DistilTasksTest, WhatIsPrunedRecovers) {
  PruneOptions cut;
  cut.bundle = folder_ / "teacher";
  cut.data = folder_ / "train.jsonl";
  cut.dev = folder_ / "dev.jsonl";
  cut.out = folder_ / "pruned";
  cut.layers = 2;
  cut.heads = 0.5;
  cut.recover = 6;
  cut.rate = options("").rate;
  cut.bfloat16 = false;
  cut.allow_loss = 15;
  expect_good(prune(disk_, cut, progress_, stop_));
  EXPECT_EQ(load_bundle(folder_ / "pruned")->shape.layers, 2);
}

INSTANTIATE_TEST_SUITE_P(Tasks, DistilTasksTest,
                         ::testing::Values(std::pair{Task::kTag, 0.9},
                                           std::pair{Task::kRegress, 0.8},
                                           std::pair{Task::kHeads, 0.85}),
                         [](const auto& one) { return std::string(name_of(one.param.first)); });

TEST_F(DistilTest, TheStudentMustBeSmaller) {
  EXPECT_EQ(run(3, 1, 1).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao::learn
