// SPDX-License-Identifier: Apache-2.0
// Our encoder against llama.cpp's on the pulled models: an independent path from text to vector.
#include <gtest/gtest.h>

#include "learn/data/examples.h"
#include "learn/files/base_model.h"
#include "learn/models/encoder.h"
#include "model/testing/pulled_model.h"

namespace qiao::learn {
namespace {

class EncoderModelTest : public testing::PulledModelTest {
 protected:
  void expect_equal(const ModelOptions& options, const std::vector<std::string>& texts) {
    const auto theirs = embed_and_wait(*open(options), texts);
    ASSERT_TRUE(theirs) << theirs.error().message;
    BaseModel base = open_base(options.name).value();
    Encoder encoder(base.shape, 0.0);
    ASSERT_TRUE(load_weights(weights_of(encoder), *base.weights));
    encoder->eval();
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::vector<Example> examples = {{base.tokenizer.encode(texts[i], 512), {0}}};
      const Batch batch = make_batch(examples, {0}, Task::kClassify, base.tokenizer.pad());
      const torch::Tensor ours =
          pool(encoder(batch.ids, batch.present), batch.present, base.shape.pooling)[0];
      const double cosine =
          torch::cosine_similarity(ours, torch::tensor((*theirs)[i]), 0).item<double>();
      EXPECT_GT(cosine, 0.9999) << texts[i];
    }
  }
};

TEST_F(EncoderModelTest, GivesLlamaCppsVectorsInChinese) {
  const ModelOptions options = options_for("bge-small-zh", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  expect_equal(options, {"我的订单什么时候到？", "ＡＢＣ iPhone 15 多少钱", "退款。",
                         "明天北京天气怎么样，需要带伞吗？我打算早上八点出门。"});
}

TEST_F(EncoderModelTest, GivesLlamaCppsVectorsInEnglish) {
  const ModelOptions options = options_for("minilm-l6", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  expect_equal(options, {"Where is my order?", "I'd like a refund, please: order #12345.", "ok",
                         "café naïve résumé"});
}

}  // namespace
}  // namespace qiao::learn
