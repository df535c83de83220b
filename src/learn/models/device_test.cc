// SPDX-License-Identifier: Apache-2.0
#include "learn/models/device.h"

#include <gtest/gtest.h>
#include <torch/library.h>

#include <stdexcept>
#include <tuple>
#include <vector>

#include "learn/models/language_model.h"
#include "learn/models/masked_model.h"
#include "learn/models/projection.h"
#include "learn/models/rms_norm.h"
#include "learn/models/text_model.h"
#include "learn/testing/chat_letters.h"
#include "learn/testing/tiny_encoder.h"
#include "learn/training/contrast.h"
#include "learn/training/task_loss.h"

// What libtorch 1.13's device of shapes lacks of what models need.
torch::Tensor select_shape(const torch::Tensor& self, std::int64_t side,
                           const torch::Tensor& index) {
  if (!index.is_meta()) throw std::runtime_error("the index stayed behind");
  std::vector<std::int64_t> sizes = self.sizes().vec();
  sizes[static_cast<std::size_t>(side)] = index.numel();
  return torch::empty(sizes, self.options());
}
using Norms = std::tuple<torch::Tensor, torch::Tensor, torch::Tensor>;
Norms norm_shape(const torch::Tensor& self, c10::SymIntArrayRef,
                 const c10::optional<torch::Tensor>& weight,
                 const c10::optional<torch::Tensor>& bias, double) {
  if (!weight->is_meta() || !bias->is_meta()) throw std::runtime_error("a norm stayed behind");
  return {torch::empty_like(self), torch::Tensor(), torch::Tensor()};
}
TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("index_select", select_shape);
  library.impl("native_layer_norm", norm_shape);
  library.impl("logical_not", [](const torch::Tensor& self) { return torch::empty_like(self); });
  library.impl("logical_and", [](const torch::Tensor& self, const torch::Tensor& other) {
    if (!other.is_meta()) throw std::runtime_error("a mask stayed behind");
    return torch::empty_like(self);
  });
}

namespace qiao::learn {
namespace {

TEST(Device, IsTheCpuAndOthersAreRefusedByName) {
  EXPECT_TRUE(device().is_cpu());
  EXPECT_TRUE(set_device("cpu"));
  for (const char* name : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda1", "cuda:1 "}) {
    const Status refused = set_device(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument) << name;
  }
  if (torch::cuda::is_available()) GTEST_SKIP() << "there is a CUDA device";
  for (const char* name : {"cuda", "cuda:3"}) {
    const Status refused = set_device(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code, Code::kUnsupported);
    EXPECT_NE(refused.error().message.find("no CUDA device"), std::string::npos);
  }
  EXPECT_TRUE(device().is_cpu());
}

// On libtorch's device that computes shapes alone, an operator refuses tensors of two devices: what
// is given to a model on the CPU must follow its weights, and so must all it makes itself.
class OnAnotherDevice : public ::testing::Test {
 protected:
  static torch::Tensor ids() { return torch::arange(6).view({2, 3}); }
  static void expect_there(const torch::Tensor& made, torch::IntArrayRef sizes) {
    EXPECT_TRUE(made.is_meta());
    EXPECT_EQ(made.sizes(), sizes);
  }
  // Module::to() refuses that device, so the weights are put there one by one.
  static void move_away(torch::nn::Module& model) {
    const auto away = [](torch::Tensor& weight) {
      if (weight.defined()) weight = torch::empty_like(weight.detach(), torch::kMeta);
    };
    for (const auto& module : model.modules()) {
      if (auto* table = module->as<torch::nn::EmbeddingImpl>()) away(table->weight);
      if (auto* norm = module->as<torch::nn::LayerNormImpl>()) away(norm->weight), away(norm->bias);
      if (auto* layer = module->as<torch::nn::LinearImpl>()) away(layer->weight), away(layer->bias);
      if (auto* layer = module->as<ProjectionImpl>()) away(layer->weight), away(layer->bias);
      if (auto* norm = module->as<RmsNormImpl>()) away(norm->weight);
      if (auto* masked = module->as<MaskedModelImpl>()) away(masked->bias);
    }
    model.eval();
  }
};

TEST_F(OnAnotherDevice, TextModelsAndTheirLosses) {
  const torch::Tensor present = torch::ones({2, 3}, torch::kBool);
  for (const Pooling pooling : {Pooling::kCls, Pooling::kMean}) {
    EncoderShape shape = testing::tiny_encoder_shape();
    shape.pooling = pooling;
    TextModel model(shape, Task::kClassify, 4, 0.1);
    move_away(*model);
    Relations seen;
    expect_there(model->run(ids(), present, torch::zeros_like(ids()), &seen).scores, {2, 4});
    expect_there(seen.query, {2, 3, 8});
    const TextOutput output = model->run(ids(), present);
    expect_there(output.vectors, {2, 8});
    const torch::Tensor targets = torch::zeros({2}, torch::kLong);
    expect_there(label_loss(output.scores, targets.to(output.scores.device()), {}), {});
    expect_there(contrast_loss(output.vectors, targets), {});
  }
  TextModel tagger(testing::tiny_encoder_shape(), Task::kTag, 5, 0);
  move_away(*tagger);
  expect_there(tagger(ids(), present), {2, 3, 5});
}

TEST_F(OnAnotherDevice, LanguageModels) {
  for (const Architecture architecture :
       {Architecture::kTransformer, Architecture::kLlama, Architecture::kQwen2}) {
    LanguageModelShape shape = testing::tiny_shape(architecture);
    shape.vocabulary = 10;
    shape.kv_heads = shape.heads;  // what repeats them has no kernel for shapes either
    const auto model = make_language_model(completed(shape), 0);
    move_away(*model);
    expect_there(model->forward(ids()), {2, 3, 10});
    EXPECT_FALSE(model->fused_gradients(ids(), ids(), 1));  // those loops are the CPU's
  }
  MaskedModel masked(testing::tiny_encoder_shape(), 0);
  move_away(*masked);
  expect_there(masked(ids(), torch::tensor({1, 4})), {2, 20});
}

}  // namespace
}  // namespace qiao::learn
