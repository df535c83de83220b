// SPDX-License-Identifier: Apache-2.0
#include "model/open_model.h"

#include <gtest/gtest.h>

#include "model/testing/tiny_gguf.h"

namespace qiao {
namespace {

using namespace qiao::testing;

class OpenModel : public ::testing::Test {
 protected:
  OpenModel() {
    options_.name = "tiny";
    options_.encoder = true;
    options_.path = tiny_encoder(folder_);
  }
  Result<std::shared_ptr<Model>> open(const std::string& engine) {
    options_.engine = engine;
    return open_model(options_, clock_, metrics_);
  }
  void expect_error(const std::string& engine, Code code) {
    const auto model = open(engine);
    ASSERT_FALSE(model) << engine;
    EXPECT_EQ(model.error().code, code) << engine << ": " << model.error().message;
    EXPECT_NE(model.error().message.find("tiny"), std::string::npos) << model.error().message;
  }
  TempFolder folder_;
  ModelOptions options_;
  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(OpenModel, AnEncoderInProcessAndInAWorkerAgree) {
  const auto here = open("in-process");
  ASSERT_TRUE(here) << here.error().message;
  EXPECT_TRUE((*here)->info().ready);
  EXPECT_EQ((*here)->info().where, "in-process");
  const auto there = open("worker");
  ASSERT_TRUE(there) << there.error().message;
  const std::vector<std::string> texts = {"abc", "ab ab"};
  const auto a = embed_and_wait(**here, texts);
  const auto b = embed_and_wait(**there, texts);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
}

TEST_F(OpenModel, NamesWhatIsWrong) {
  expect_error("magic", Code::kInvalidArgument);
  expect_error("provider", Code::kInvalidArgument);  // no URL
  options_.slots = 0;
  expect_error("worker", Code::kInvalidArgument);
  options_.slots = 8;
  options_.context_tokens = 1;
  expect_error("worker", Code::kInvalidArgument);
  options_.context_tokens = 8192;
  options_.pooling = "max";
  expect_error("in-process", Code::kInvalidArgument);
  options_.pooling.clear();
  options_.path = folder_.write("tiny.txt", "no model");
  expect_error("worker", Code::kCorrupt);
  expect_error("in-process", Code::kCorrupt);
  options_.path = folder_ / "tiny-absent";
  expect_error("worker", Code::kNotFound);
  options_.path.clear();
  expect_error("worker", Code::kInvalidArgument);
}

TEST_F(OpenModel, AnEncoderIsNoChatModel) {
  options_.encoder = false;
  expect_error("in-process", Code::kUnsupported);
}

TEST_F(OpenModel, AScriptIsAModel) {
  options_.path = folder_.write("script.yaml", "script:\n  - { say: hello }\n");
  const auto model = open("scripted");
  ASSERT_TRUE(model) << model.error().message;
  GenerateRequest request;
  request.turns = {{Role::kUser, "hi", {}, {}}};
  EXPECT_EQ(generate_and_wait(**model, request)->text, "hello");
}

}  // namespace
}  // namespace qiao
