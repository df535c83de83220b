// SPDX-License-Identifier: Apache-2.0
// A real decoder (SmolLM2-135M, Q4_1) read into our modules, against llama.cpp.
#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "learn/files/decoder_gguf.h"
#include "model/testing/pulled_model.h"

namespace qiao::learn {
namespace {

class DecoderModelTest : public testing::PulledModelTest {};

TEST_F(DecoderModelTest, SmolLm2HasLlamaCppsScores) {
  const ModelOptions options = options_for("smollm2-135m", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  const auto base = open_decoder("smollm2-135m", 0);
  ASSERT_TRUE(base) << base.error().message;
  EXPECT_EQ(base->bundle.shape.kv_heads, 3);
  EXPECT_EQ(base->licence, "Apache-2.0");
  testing::TempFolder folder;
  SystemDisk disk;
  const std::string path = folder / "full.gguf";
  const auto written = export_decoder(disk, path, base->bundle, GgufNumbers::kFull, "full");
  ASSERT_TRUE(written) << written.error().message;
  const auto ids = base->bundle.codec->encode("The capital of France is Paris. 你好").value();
  const auto distance = distance_to_llama(*base->bundle.model, path, "", ids);
  ASSERT_TRUE(distance) << distance.error().message;
  EXPECT_LE(distance->difference, 1e-3 * distance->greatest) << "of " << distance->greatest;
  // The file as it is: llama.cpp rounds what meets a quantised weight to eight bits.
  const auto quantised = distance_to_llama(*base->bundle.model, options.path, "", ids);
  ASSERT_TRUE(quantised) << quantised.error().message;
  EXPECT_LE(quantised->difference, 0.2 * quantised->greatest);
}

TEST_F(DecoderModelTest, SmolLm2GoesOnSensibly) {
  const ModelOptions options = options_for("smollm2-135m", "in-process");
  QIAO_SKIP_WITHOUT_MODEL(options);
  const auto base = open_decoder("smollm2-135m", 0).value();
  EXPECT_NE(sample(base.bundle, {"The capital of France is", 4, 0, 1}).value().find("Paris"),
            std::string::npos);
}

}  // namespace
}  // namespace qiao::learn
