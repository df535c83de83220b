// SPDX-License-Identifier: Apache-2.0
// A chat model with a LoRA adapter beside it, in this process and in a worker.
#include <gtest/gtest.h>

#include "model/open_model.h"
#include "model/testing/tiny_gguf.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

class Adapter : public ::testing::Test {
 protected:
  Adapter() {
    options_.name = "tiny";
    options_.path = tiny_chat(folder_);
    options_.threads = 1;
    options_.context_tokens = 1024;
  }
  // An adapter of rank 2 for the tiny chat's queries, whose width is `width`.
  std::string write_adapter(std::int64_t width) {
    GgufWriter writer;
    writer.set("general.type", "adapter");
    writer.set("general.architecture", "llama");
    writer.set("adapter.type", "lora");
    writer.set("adapter.lora.alpha", 4.0F);
    EXPECT_TRUE(writer.add_tensor("blk.0.attn_v.weight.lora_a", {2, width}, false));
    EXPECT_TRUE(writer.add_tensor("blk.0.attn_v.weight.lora_b", {width, 2}, false));
    const std::string path = folder_ / ("adapter-" + std::to_string(width) + ".gguf");
    Rng chance(9);
    const auto written = writer.write(path, [&](std::size_t) -> Result<std::vector<float>> {
      std::vector<float> values(static_cast<std::size_t>(2 * width));
      for (float& value : values) value = static_cast<float>(chance.unit() * 2 - 1);
      return values;
    });
    EXPECT_TRUE(written) << written.error().message;
    return path;
  }
  std::string answer(const std::string& engine, const std::string& adapter) {
    options_.engine = engine;
    options_.adapter = adapter;
    auto model = open_model(options_, clock_, metrics_);
    if (!model) return model.error().message;
    GenerateRequest request;
    request.turns = {{Role::kUser, "hello", {}, {}}};
    request.tokens_max = 24;
    request.sampling.temperature = 0;
    const auto generated = generate_and_wait(**model, request);
    return generated ? generated->text : generated.error().message;
  }

  TempFolder folder_;
  ModelOptions options_;
  SystemClock clock_;
  Metrics metrics_;
};

TEST_F(Adapter, ChangesAnswersInProcessAndInAWorkerAlike) {
  const std::string adapter = write_adapter(32);
  const std::string plain = answer("in-process", "");
  const std::string adapted = answer("in-process", adapter);
  EXPECT_NE(plain, adapted);
  EXPECT_EQ(answer("worker", ""), plain);
  EXPECT_EQ(answer("worker", adapter), adapted);
}

TEST_F(Adapter, OfAnotherModelIsRefused) {
  const std::string message = answer("in-process", write_adapter(16));
  EXPECT_NE(message.find("made for another model"), std::string::npos) << message;
}

TEST_F(Adapter, ThatIsNotThereOrNoGgufIsNamed) {
  EXPECT_NE(answer("worker", folder_ / "none.gguf").find("none.gguf"), std::string::npos);
  const std::string text = folder_.write("text.gguf", "no model");
  EXPECT_NE(answer("in-process", text).find("not a GGUF"), std::string::npos);
}

}  // namespace
}  // namespace qiao::model
