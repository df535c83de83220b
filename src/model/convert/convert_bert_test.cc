// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_bert.h"

#include <ggml.h>
#include <gguf.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "base/testing/temp_folder.h"
#include "model/convert/convert_weights.h"
#include "model/testing/tiny_bert.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

struct FreeGguf {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
struct FreeGgml {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

class ConvertBert : public ::testing::Test {
 protected:
  ConvertBert() {
    folder_.write("model.onnx", tiny_onnx(tiny_bert()));
    folder_.write("model.safetensors", tiny_safetensors(tiny_bert()));
    folder_.write("tokenizer.json", tiny_tokenizer(false));
    folder_.write("config.json", R"({"model_type":"bert","num_attention_heads":2,)"
                                 R"("layer_norm_eps":1e-5,"hidden_act":"gelu"})");
  }
  Status convert(const std::string& format, const ConvertHints& hints, bool with_config) {
    const BertFiles files{format,
                          folder_ / (format == "bert-onnx" ? "model.onnx" : "model.safetensors"),
                          folder_ / "tokenizer.json", with_config ? folder_ / "config.json" : ""};
    std::error_code ignored;
    std::filesystem::remove(folder_ / "out.gguf", ignored);
    return convert_bert(files, hints, "tiny", folder_ / "out.gguf", nullptr);
  }
  void open() {
    ggml_context* tensors = nullptr;
    gguf_.reset(gguf_init_from_file((folder_ / "out.gguf").c_str(), {false, &tensors}));
    tensors_.reset(tensors);
    ASSERT_NE(gguf_, nullptr);
  }
  std::int64_t key(const std::string& name) {
    const std::int64_t id = gguf_find_key(gguf_.get(), name.c_str());
    EXPECT_GE(id, 0) << name;
    return id;
  }
  std::vector<float> values(const std::string& name) {
    const ggml_tensor* tensor = ggml_get_tensor(tensors_.get(), name.c_str());
    if (tensor == nullptr) return {};
    std::vector<float> out;
    for (std::int64_t i = 0; i < ggml_nelements(tensor); ++i) {
      out.push_back(tensor->type == GGML_TYPE_F16
                        ? float_of_half(static_cast<const std::uint16_t*>(tensor->data)[i])
                        : static_cast<const float*>(tensor->data)[i]);
    }
    return out;
  }

  TempFolder folder_;
  std::unique_ptr<gguf_context, FreeGguf> gguf_;
  std::unique_ptr<ggml_context, FreeGgml> tensors_;
};

TEST_F(ConvertBert, WritesTheKeysThatLlamaReads) {
  ASSERT_TRUE(convert("bert-onnx", {"cls", 2, 1e-12, 1}, false).has_value());
  open();
  EXPECT_STREQ(gguf_get_val_str(gguf_.get(), key("general.architecture")), "bert");
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.block_count")), 1U);
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.embedding_length")), 8U);
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.feed_forward_length")), 16U);
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.context_length")), 12U);
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.attention.head_count")), 2U);
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.pooling_type")), 2U);
  EXPECT_FLOAT_EQ(gguf_get_val_f32(gguf_.get(), key("bert.attention.layer_norm_epsilon")), 1e-12F);
  EXPECT_FALSE(gguf_get_val_bool(gguf_.get(), key("bert.attention.causal")));
  EXPECT_TRUE(gguf_get_val_bool(gguf_.get(), key("tokenizer.ggml.normalizer.lowercase")));
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("tokenizer.ggml.token_type_count")), 2U);
  EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("tokenizer.ggml.seperator_token_id")), 3U);
  EXPECT_EQ(gguf_get_arr_n(gguf_.get(), key("tokenizer.ggml.tokens")), 7U);
}

TEST_F(ConvertBert, BothFormatsGiveTheSameTensors) {
  for (const char* const format : {"bert-onnx", "bert-safetensors"}) {
    ASSERT_TRUE(convert(format, {"mean", 0, 0, -1}, true).has_value());
    open();
    EXPECT_EQ(gguf_get_n_tensors(gguf_.get()), 21);
    EXPECT_EQ(gguf_get_val_u32(gguf_.get(), key("bert.pooling_type")), 1U);
    const auto tensors = tiny_bert();
    // Norms, biases and positions exactly; matrices to binary16.
    EXPECT_EQ(values("position_embd.weight"), tensors[1].values);
    EXPECT_EQ(values("token_types.weight"), tensors[2].values);
    EXPECT_EQ(values("token_embd_norm.bias"), tensors[4].values);
    EXPECT_EQ(values("blk.0.layer_output_norm.weight"), tensors[19].values);
    const auto up = values("blk.0.ffn_up.weight");
    ASSERT_EQ(up.size(), tensors[15].values.size());
    for (std::size_t i = 0; i < up.size(); ++i) EXPECT_NEAR(up[i], tensors[15].values[i], 0.01);
    const ggml_tensor* tensor = ggml_get_tensor(tensors_.get(), "blk.0.ffn_up.weight");
    EXPECT_EQ(tensor->ne[0], 8);
    EXPECT_EQ(tensor->ne[1], 16);
    EXPECT_EQ(tensor->type, GGML_TYPE_F16);
  }
}

TEST_F(ConvertBert, RefusesWhatItCannotExpress) {
  EXPECT_EQ(convert("bert-onnx", {"max", 2, 1e-12, 1}, false).error().code, Code::kInvalidArgument);
  EXPECT_EQ(convert("bert-onnx", {"cls", 0, 0, 1}, false).error().code, Code::kInvalidArgument);
  EXPECT_EQ(convert("bert-onnx", {"cls", 3, 1e-12, 1}, false).error().code,
            Code::kInvalidArgument);  // 8 is no multiple of 3
  EXPECT_EQ(convert("gpt-onnx", {"cls", 2, 1e-12, 1}, false).error().code, Code::kUnsupported);
  folder_.write("config.json", R"({"model_type":"bert","hidden_act":"relu"})");
  EXPECT_EQ(convert("bert-onnx", {"cls", 2, 1e-12, 1}, true).error().code, Code::kUnsupported);
}

TEST_F(ConvertBert, RefusesFilesThatDoNotBelongTogether) {
  auto tensors = tiny_bert();
  tensors[0] = {tensors[0].name, {6, 8}, std::vector<float>(48)};  // one piece fewer
  folder_.write("model.onnx", tiny_onnx(tensors));
  EXPECT_EQ(convert("bert-onnx", {"cls", 2, 1e-12, 1}, false).error().code, Code::kCorrupt);
  tensors = tiny_bert();
  tensors[6] = {tensors[6].name, {4}, std::vector<float>(4)};  // a bias too short
  folder_.write("model.onnx", tiny_onnx(tensors));
  const Status done = convert("bert-onnx", {"cls", 2, 1e-12, 1}, false);
  EXPECT_EQ(done.error().code, Code::kCorrupt);
  EXPECT_NE(done.error().message.find("query.bias"), std::string::npos);
  tensors.erase(tensors.begin() + 6);
  folder_.write("model.onnx", tiny_onnx(tensors));
  EXPECT_FALSE(convert("bert-onnx", {"cls", 2, 1e-12, 1}, false).has_value());
}

TEST_F(ConvertBert, StopsWhenAsked) {
  std::stop_source source;
  const BertFiles files{"bert-onnx", folder_ / "model.onnx", folder_ / "tokenizer.json", ""};
  const Status done = convert_bert(
      files, {"cls", 2, 1e-12, 1}, "tiny", folder_ / "out.gguf",
      [&](std::uint64_t at, std::uint64_t) {
        if (at == 5) source.request_stop();
      },
      source.get_token());
  EXPECT_EQ(done.error().code, Code::kCancelled);
}

}  // namespace
}  // namespace qiao::model
