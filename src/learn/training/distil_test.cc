// SPDX-License-Identifier: Apache-2.0
#include "learn/training/distil.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "learn/files/bundle.h"
#include "learn/testing/letters.h"

namespace qiao::learn {
namespace {

class DistilTest : public ::testing::Test {
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
    distilled.lost_max = lost_max;
    distilled.train = options("student");
    distilled.train.epochs = epochs;
    return distil(disk_, distilled, progress_, stop_);
  }

  testing::TempFolder folder_;
  SystemDisk disk_;
  Progress progress_{Language::kEnglish, false};
  std::atomic<bool> stop_{false};
};

TEST_F(DistilTest, AStudentOfOneLayerAnswersAsItsTeacher) {
  const auto told = run(1, 5, 12);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_GT((*told)["student"]["accuracy"].get<double>(), 0.9);
  EXPECT_LT((*told)["student"]["bytes"].get<double>(), (*told)["teacher"]["bytes"].get<double>());
  EXPECT_EQ(load_bundle(folder_ / "student")->shape.layers, 1);
}

TEST_F(DistilTest, WhatLosesTooMuchIsRefusedAndSetAside) {
  DistilOptions hopeless;
  hopeless.teacher = folder_ / "teacher";
  hopeless.layers = 1;
  hopeless.train = options("student");
  hopeless.train.epochs = 1;
  hopeless.train.rate = 1e-9;  // learns nothing
  hopeless.lost_max = -100;    // any: it is written
  ASSERT_TRUE(distil(disk_, hopeless, progress_, stop_));
  hopeless.train.out = folder_ / "other";
  hopeless.lost_max = 0;
  const auto refused = distil(disk_, hopeless, progress_, stop_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPrecondition);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "other.refused/model.safetensors"));
}

TEST_F(DistilTest, TheStudentMustBeSmaller) {
  EXPECT_EQ(run(3, 1, 1).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao::learn
