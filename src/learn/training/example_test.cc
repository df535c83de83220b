// SPDX-License-Identifier: Apache-2.0
#include "learn/training/example.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/disk.h"
#include "model/catalogue/catalogue.h"

namespace qiao::learn {
namespace {

class ArticleExampleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SystemDisk disk;
    if (!disk.exists(default_models_directory() + "/bge-small-zh/model.gguf")) {
      GTEST_SKIP() << "the model bge-small-zh is not there: qiao model pull bge-small-zh";
    }
  }

  ExampleResult run(bool original) {
    ExampleOptions options;
    options.original = original;
    const auto result =
        run_example(options, stop_, [&](const std::string& line) { lines_.push_back(line); });
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(ExampleResult{});
  }
  bool printed(const std::string& part) const {
    return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }

  std::atomic<bool> stop_{false};
  std::vector<std::string> lines_;
};

TEST_F(ArticleExampleTest, LearnsThreeTextsAndTellsThemSaidOtherwise) {
  const ExampleResult result = run(false);
  EXPECT_LT(result.last_loss, result.first_loss / 2);
  EXPECT_EQ(result.test_right, 3);
  EXPECT_TRUE(printed("Epoch [1/3], Loss: "));
  EXPECT_TRUE(printed("Epoch [3/3], Loss: "));
  EXPECT_TRUE(printed("Test Loss: "));
}

TEST_F(ArticleExampleTest, TheOriginalFailsAtEachStep) {
  const ExampleResult result = run(true);
  EXPECT_TRUE(printed("label 1: Expected target size"));  // tokens against one label
  EXPECT_TRUE(printed("label 0: Loss: 0.0000"));          // one output: no information
  EXPECT_TRUE(printed("label 2: Target 2 is out of bounds"));
  EXPECT_GT(result.first_loss, std::log(3.0));  // the rate: worse than guessing after an epoch
}

}  // namespace
}  // namespace qiao::learn
