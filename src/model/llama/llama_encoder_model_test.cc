// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <numeric>

#include "model/testing/pulled_model.h"

namespace qiao {
namespace {

using testing::PulledModelTest;

float cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

class LlamaEncoder : public PulledModelTest {
 protected:
  // The first text must be nearer to the second than to the third.
  void expect_order(const std::string& name, std::vector<std::string> texts) {
    const auto model = open(options_for(name, "in-process"));
    const auto vectors = embed_and_wait(*model, std::move(texts));
    ASSERT_TRUE(vectors) << vectors.error().message;
    EXPECT_EQ(vectors->front().size(), static_cast<std::size_t>(model->info().embedding_size));
    for (const auto& vector : *vectors) EXPECT_NEAR(cosine(vector, vector), 1, 1e-4);
    EXPECT_GT(cosine((*vectors)[0], (*vectors)[1]), cosine((*vectors)[0], (*vectors)[2]) + 0.2);
  }
};

TEST_F(LlamaEncoder, KnowsWhatIsNearInChinese) {
  QIAO_SKIP_WITHOUT_MODEL(options_for("bge-small-zh", "in-process"));
  expect_order("bge-small-zh", {"我要退款，钱什么时候到账？", "请把钱退给我", "今天天气很好"});
}

TEST_F(LlamaEncoder, KnowsWhatIsNearInEnglish) {
  QIAO_SKIP_WITHOUT_MODEL(options_for("minilm-l6", "in-process"));
  expect_order("minilm-l6",
               {"I want my money back", "please refund my order", "The weather is lovely today"});
}

TEST_F(LlamaEncoder, ATextHasTheSameVectorAloneAndInCompany) {
  const auto options = options_for("minilm-l6", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  const auto model = open(options);
  std::vector<std::string> texts;
  for (int i = 0; i < 40; ++i) texts.push_back("number " + std::to_string(i * 37) + " of many");
  const auto together = embed_and_wait(*model, texts);
  ASSERT_TRUE(together) << together.error().message;
  for (const std::size_t i : {0U, 17U, 39U}) {
    const auto alone = embed_and_wait(*model, {texts[i]});
    ASSERT_TRUE(alone) << alone.error().message;
    EXPECT_GT(cosine((*together)[i], alone->front()), 0.9999F) << i;
  }
}

TEST_F(LlamaEncoder, CutsATextThatIsTooLong) {
  const auto options = options_for("minilm-l6", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  const auto model = open(options);
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "refund ";
  const auto vectors = embed_and_wait(*model, {text, text + "weather", ""});
  ASSERT_TRUE(vectors) << vectors.error().message;
  EXPECT_GT(cosine((*vectors)[0], (*vectors)[1]), 0.9999F);
}

TEST_F(LlamaEncoder, RefusesToWrite) {
  const auto options = options_for("minilm-l6", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  const auto model = open(options);
  GenerateRequest request;
  request.turns = {{Role::kUser, "hi", {}, {}}};
  EXPECT_EQ(generate_and_wait(*model, request).error().code, Code::kUnsupported);
  EXPECT_EQ(embed_and_wait(*model, std::vector<std::string>(20'000)).error().code,
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace qiao
