// SPDX-License-Identifier: Apache-2.0
// Tiny bundles through llama.cpp, in this process: from the bundle's folder to the answer.
#include "understand/classifier.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/testing/temp_folder.h"
#include "model/bundle/bundle_store.h"
#include "model/testing/tiny_bundle.h"

namespace qiao {
namespace {

using testing::TempFolder;
using testing::TinyBundle;
using testing::write_tiny_bundle;

class ClassifierTest : public ::testing::Test {
 protected:
  Result<std::shared_ptr<const Classifier>> open(const TinyBundle& bundle) {
    write_tiny_bundle(folder_ / "bundle", bundle);
    QIAO_ASSIGN(const std::string version,
                import_bundle(folder_ / "models", "tiny", folder_ / "bundle"));
    QIAO_ASSIGN(const std::string path, version_folder(folder_ / "models", "tiny", version));
    ModelOptions options;
    options.name = "tiny";
    options.engine = "in-process";
    options.threads = 1;
    return Classifier::open(path, version, options, clock_, metrics_);
  }

  TempFolder folder_;
  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(ClassifierTest, ClassifiesByLlamasVectors) {
  const auto opened = open({{"order", "refund"}, {{"money", "refund"}, {"parcel", "order"}}});
  ASSERT_TRUE(opened) << opened.error().message;
  const Classifier& classifier = **opened;
  ASSERT_TRUE(classifier.wait_until_ready(60'000));
  for (const auto& [text, label] : {std::pair{"my money", "refund"}, {"a parcel!", "order"}}) {
    const auto answer = judge_and_wait(classifier, text);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->labels.front().label, label) << text;
    EXPECT_GT(answer->labels.front().score, 0.9) << text;
  }
  // The same vectors as the head was written for: the mean of what the layers leave as it is.
  const auto empty = judge_and_wait(classifier, "");
  ASSERT_TRUE(empty) << empty.error().message;
  EXPECT_NEAR(empty->labels.front().score, 0.5, 0.01);
}

TEST_F(ClassifierTest, TagsByTheVectorsOfAllTokens) {
  const auto opened = open({{"O", "B-LOC", "I-LOC"},
                            {{"in", "O"}, {",", "O"}, {"paris", "B-LOC"}, {"oslo", "B-LOC"}},
                            "tag"});
  ASSERT_TRUE(opened) << opened.error().message;
  const std::string text = "Oslo, in Paris";
  const auto answer = judge_and_wait(**opened, text);
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->entities.size(), 2U);
  EXPECT_EQ(answer->entities[0].text, "Oslo");
  EXPECT_EQ(answer->entities[1].text, "Paris");
  EXPECT_EQ(answer->entities[1].begin, 9U);
}

TEST_F(ClassifierTest, ABundleOfNumbersIsRefused) {
  const auto opened = open({{"number"}, {{"money", "number"}}, "regress"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kUnsupported);
  EXPECT_NE(opened.error().message.find("tiny tells a number"), std::string::npos);
}

TEST_F(ClassifierTest, ATextLongerThanTheModelIsCut) {
  const auto opened = open({{"order", "refund"}, {{"money", "refund"}, {"parcel", "order"}}});
  ASSERT_TRUE(opened) << opened.error().message;
  std::string text = "money ";
  for (int i = 0; i < 12; ++i) text += text.substr(0, 60);
  const auto answer = judge_and_wait(**opened, text);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->labels.front().label, "refund");
}

}  // namespace
}  // namespace qiao
