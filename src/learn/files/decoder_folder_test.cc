// SPDX-License-Identifier: Apache-2.0
#include "learn/files/decoder_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/digest.h"
#include "base/testing/temp_folder.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/json_file.h"
#include "learn/files/model_place.h"
#include "learn/testing/tiny_bpe.h"
#include "model/bundle/safetensors_writer.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRows = 310;  // of the word table: ten more than the tokenizer has tokens

struct Named {
  std::string name;
  std::vector<std::int64_t> shape;
};

// A weight from its name and its place alone, as the script had it that made the golden scores.
float weight_at(const std::string& name, std::uint32_t place) {
  std::uint32_t x = 2166136261U;
  for (const char c : name) x = (x ^ static_cast<unsigned char>(c)) * 16777619U;
  x ^= place * 2654435761U;
  x *= 2246822507U;
  x ^= x >> 13U;
  x *= 3266489909U;
  const bool norm =
      name.find("norm") != std::string::npos || name.find(".ln_") != std::string::npos;
  const double middle = norm && name.ends_with("weight") ? 1 : 0;
  return static_cast<float>((double(x >> 8U) / 16777216 - 0.5) * 0.5 + middle);
}

Json config_of(const std::string& type) {
  if (type == "gpt2") {
    return {{"model_type", "gpt2"}, {"n_embd", 32},
            {"n_layer", 2},         {"n_head", 4},
            {"n_positions", 24},    {"vocab_size", kRows},
            {"n_inner", nullptr},   {"activation_function", "gelu_new"}};
  }
  return {{"model_type", type},
          {"hidden_size", 32},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"intermediate_size", 48},
          {"max_position_embeddings", 24},
          {"vocab_size", kRows},
          {"rms_norm_eps", 1e-4},
          {"rope_theta", 500.0},
          {"rope_scaling", nullptr},
          {"hidden_act", "silu"},
          {"tie_word_embeddings", type == "qwen2"}};
}

// What Hugging Face's file of config_of(type) holds.
std::vector<Named> tensors_of(const std::string& type) {
  std::vector<Named> all;
  if (type == "gpt2") {
    all = {{"transformer.wte.weight", {kRows, 32}},
           {"transformer.wpe.weight", {24, 32}},
           {"transformer.ln_f.weight", {32}},
           {"transformer.ln_f.bias", {32}}};
    const std::vector<Named> layer = {{"ln_1.weight", {32}},
                                      {"ln_1.bias", {32}},
                                      {"attn.c_attn.weight", {32, 96}},
                                      {"attn.c_attn.bias", {96}},
                                      {"attn.c_proj.weight", {32, 32}},
                                      {"attn.c_proj.bias", {32}},
                                      {"ln_2.weight", {32}},
                                      {"ln_2.bias", {32}},
                                      {"mlp.c_fc.weight", {32, 128}},
                                      {"mlp.c_fc.bias", {128}},
                                      {"mlp.c_proj.weight", {128, 32}},
                                      {"mlp.c_proj.bias", {32}}};
    for (const char* at : {"transformer.h.0.", "transformer.h.1."}) {
      for (const Named& one : layer) all.push_back({at + one.name, one.shape});
    }
    return all;
  }
  all = {{"model.embed_tokens.weight", {kRows, 32}}, {"model.norm.weight", {32}}};
  if (type == "llama") all.push_back({"lm_head.weight", {kRows, 32}});
  std::vector<Named> layer = {
      {"input_layernorm.weight", {32}},      {"self_attn.q_proj.weight", {32, 32}},
      {"self_attn.k_proj.weight", {16, 32}}, {"self_attn.v_proj.weight", {16, 32}},
      {"self_attn.o_proj.weight", {32, 32}}, {"post_attention_layernorm.weight", {32}},
      {"mlp.gate_proj.weight", {48, 32}},    {"mlp.up_proj.weight", {48, 32}},
      {"mlp.down_proj.weight", {32, 48}}};
  if (type == "qwen2") {
    layer.insert(layer.end(), {{"self_attn.q_proj.bias", {32}},
                               {"self_attn.k_proj.bias", {16}},
                               {"self_attn.v_proj.bias", {16}}});
  }
  for (const char* at : {"model.layers.0.", "model.layers.1."}) {
    for (const Named& one : layer) all.push_back({at + one.name, one.shape});
  }
  return all;
}

// Scores of the tokens 0, 1, 2, 100 and 309 behind `ids` up to each place. Made by transformers
// 5.24.0 with torch 2.15.0 in binary32: GPT2LMHeadModel, LlamaForCausalLM and Qwen2ForCausalLM of
// config_of(), every parameter filled by weight_at(its name, its place).
const std::vector<std::int64_t> kIds = {3, 309, 0, 77, 200, 77, 12, 150};
struct Golden {
  const char* type;
  std::int64_t place;
  std::vector<double> scores;
};
const std::vector<Golden> kGolden = {
    {"gpt2", 1, {0.385838, -0.471163, -0.071796, -0.206833, 0.650525}},
    {"gpt2", 7, {-0.129483, -0.417233, 0.183098, -0.515362, 0.755284}},
    {"llama", 1, {-0.075702, -0.227994, -0.294891, -0.616464, 0.712852}},
    {"llama", 7, {1.159082, 0.132391, 1.096947, 0.582647, 0.352932}},
    {"qwen2", 1, {0.034013, -0.884556, -0.957214, 0.683875, 1.487533}},
    {"qwen2", 7, {-0.429595, 0.869238, -0.568732, 0.846049, 0.112029}}};

class DecoderFolder : public ::testing::Test {
 protected:
  void write_weights(const std::string& file, const std::vector<Named>& tensors) {
    std::vector<std::vector<float>> values;
    std::vector<model::NamedValues> rows;
    for (const Named& one : tensors) {
      std::uint32_t count = 1;
      for (const std::int64_t side : one.shape) count *= static_cast<std::uint32_t>(side);
      values.emplace_back();
      for (std::uint32_t i = 0; i < count; ++i) values.back().push_back(weight_at(one.name, i));
      rows.push_back({one.name, one.shape, nullptr, nullptr});
    }
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].values = values[i].data();
    ASSERT_TRUE(disk_.make_directories(at_));
    ASSERT_TRUE(model::write_safetensors(disk_, at_ + "/" + file, rows, {}));
  }
  // All tensors in two parts and their index.
  void write_parts(const std::string& type) {
    const std::vector<Named> all = tensors_of(type);
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    Json map = Json::object();
    for (auto one = all.begin(); one != all.end(); ++one) {
      map[one->name] =
          one < middle ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
    }
    write_weights("model-00001-of-00002.safetensors", {all.begin(), middle});
    write_weights("model-00002-of-00002.safetensors", {middle, all.end()});
    write("model.safetensors.index.json", {{"metadata", {{"total_size", 1}}}, {"weight_map", map}});
  }
  void write(const std::string& file, const Json& json) {
    folder_.write("source/" + file, dump_json(json));
  }
  // A folder with everything.
  void write_folder(const std::string& type) {
    write("config.json", config_of(type));
    write("tokenizer.json", testing::tiny_bpe(type == "qwen2" ? "qwen2" : "llama-bpe"));
    write_weights("model.safetensors", tensors_of(type));
  }
  void expect_golden(const std::string& type) {
    const auto shape = decoder_shape_of(config_of(type));
    ASSERT_TRUE(shape) << shape.error().message;
    const auto weights = open_decoder_weights(at_, *shape);
    ASSERT_TRUE(weights) << weights.error().message;
    const auto model = make_language_model(*shape, 0);
    const Status loaded = load_weights(weights_of(*model), **weights);
    ASSERT_TRUE(loaded) << loaded.error().message;
    expect_golden(type, *model);
  }
  static void expect_golden(const std::string& type, LanguageModel& model) {
    const torch::NoGradGuard no_grad;
    model.eval();
    const torch::Tensor scores = model.forward(torch::tensor(kIds).unsqueeze(0))[0];
    const std::vector<std::int64_t> tokens = {0, 1, 2, 100, 309};
    for (const Golden& golden : kGolden) {
      if (golden.type != type) continue;
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        EXPECT_NEAR(scores[golden.place][tokens[i]].item<double>(), golden.scores[i], 2e-5)
            << type << " at " << golden.place << ", token " << tokens[i];
      }
    }
  }
  static Error refusal(const Json& config) {
    const auto shape = decoder_shape_of(config);
    return shape ? Error{} : shape.error();
  }
  Error weights_refusal(const std::string& type) {
    const auto weights = open_decoder_weights(at_, decoder_shape_of(config_of(type)).value());
    EXPECT_FALSE(weights);
    return weights ? Error{} : weights.error();
  }
  static bool names(const Error& error, const std::string& what) {
    return error.message.find(what) != std::string::npos;
  }

  const qiao::testing::TempFolder folder_;
  SystemDisk disk_;
  const std::string at_ = folder_ / "source";
};

TEST_F(DecoderFolder, HasHuggingFacesScores) {
  for (const char* type : {"gpt2", "llama", "qwen2"}) {
    write_weights("model.safetensors", tensors_of(type));
    expect_golden(type);
  }
}

TEST_F(DecoderFolder, PartsAreOneModel) {
  write_parts("llama");
  expect_golden("llama");
  EXPECT_EQ(weights_bytes(at_), fs::file_size(at_ + "/model-00001-of-00002.safetensors") +
                                    fs::file_size(at_ + "/model-00002-of-00002.safetensors"));
  fs::remove(at_ + "/model-00002-of-00002.safetensors");
  const Error missing = weights_refusal("llama");
  EXPECT_EQ(missing.code, Code::kNotFound);
  EXPECT_TRUE(names(missing, "model-00002-of-00002.safetensors")) << missing.message;
  EXPECT_EQ(weights_bytes(at_), 0U);
}

TEST_F(DecoderFolder, AnIndexLeadsNowhereElse) {
  write_weights("../elsewhere.safetensors", tensors_of("llama"));
  for (const Json& place : {Json("../elsewhere.safetensors"), Json("/etc/x.safetensors"),
                            Json("notes.txt"), Json(""), Json(7)}) {
    write("model.safetensors.index.json", {{"weight_map", {{"lm_head.weight", place}}}});
    const Error fault = weights_refusal("llama");
    EXPECT_EQ(fault.code, Code::kCorrupt) << place;
    EXPECT_TRUE(names(fault, "lm_head.weight")) << fault.message;
  }
  write("model.safetensors.index.json", {{"weight_map", Json::array()}});
  EXPECT_TRUE(names(weights_refusal("llama"), "weight_map"));
}

TEST_F(DecoderFolder, WhatOurModulesDoNotComputeIsNamed) {
  const auto with = [&](const char* type, const char* key, Json value) {
    Json config = config_of(type);
    config[key] = std::move(value);
    const Error fault = refusal(config);
    EXPECT_EQ(fault.code, Code::kUnsupported) << key;
    EXPECT_TRUE(names(fault, key)) << fault.message;
  };
  with("llama", "model_type", "mistral");
  with("llama", "rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}});
  with("llama", "rope_scaling", {{"type", "linear"}, {"factor", 2.0}});
  with("llama", "rope_parameters", {{"rope_theta", 500.0}, {"rope_type", "yarn"}});
  with("llama", "rope_parameters", {{"rope_theta", 500.0}, {"partial_rotary_factor", 0.5}});
  with("llama", "head_dim", 16);
  with("llama", "attention_bias", true);
  with("llama", "mlp_bias", true);
  with("llama", "hidden_act", "gelu");
  with("llama", "rope_interleaved", true);
  with("llama", "quantization_config", {{"quant_method", "gptq"}});
  with("qwen2", "use_sliding_window", true);
  with("qwen2", "layer_types", {"full_attention", "sliding_attention"});
  with("gpt2", "n_inner", 64);
  with("gpt2", "activation_function", "relu");
  with("gpt2", "layer_norm_epsilon", 1e-6);
  with("gpt2", "scale_attn_weights", false);
  with("gpt2", "scale_attn_by_inverse_layer_idx", true);
  with("gpt2", "tie_word_embeddings", false);
}

TEST_F(DecoderFolder, ImpossibleNumbersAreNamed) {
  for (const char* key : {"hidden_size", "num_hidden_layers", "num_attention_heads",
                          "intermediate_size", "max_position_embeddings", "vocab_size"}) {
    for (const Json& value : {Json(), Json(0), Json(-1), Json(1.5), Json("32"), Json(1e30),
                              Json(UINT64_MAX), Json::array({32})}) {
      Json config = config_of("llama");
      config[key] = value;
      const Error fault = refusal(config);
      EXPECT_EQ(fault.code, Code::kCorrupt) << key << " " << value;
      EXPECT_TRUE(names(fault, key)) << fault.message;
    }
  }
  const auto code = [&](const char* type, const char* key, Json value) {
    Json config = config_of(type);
    config[key] = std::move(value);
    return refusal(config).code;
  };
  EXPECT_EQ(code("llama", "num_key_value_heads", 3), Code::kCorrupt);
  EXPECT_EQ(code("llama", "num_attention_heads", 5), Code::kCorrupt);
  EXPECT_EQ(code("llama", "rope_theta", "many"), Code::kCorrupt);
  EXPECT_EQ(code("llama", "rms_norm_eps", 2), Code::kCorrupt);
  EXPECT_EQ(code("llama", "tie_word_embeddings", 1), Code::kCorrupt);
  EXPECT_EQ(code("llama", "rope_scaling", "default"), Code::kCorrupt);
  EXPECT_EQ(code("gpt2", "n_layer", nullptr), Code::kCorrupt);
  EXPECT_EQ(refusal(Json::array()).code, Code::kUnsupported);
  // transformers 5 says the base with the kind of positions.
  Json config = config_of("llama");
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_theta", 500.0}, {"rope_type", "default"}};
  EXPECT_EQ(decoder_shape_of(config)->rope_base, 500.0);
}

TEST_F(DecoderFolder, WeightsThatAreNotConfigJsonsAreRefused) {
  std::vector<Named> tensors = tensors_of("llama");
  std::erase_if(tensors, [](const Named& one) { return one.name == "lm_head.weight"; });
  write_weights("model.safetensors", tensors);
  EXPECT_TRUE(names(weights_refusal("llama"), "tie_word_embeddings"));
  tensors = tensors_of("llama");
  tensors.push_back({"model.layers.2.input_layernorm.weight", {32}});
  write_weights("model.safetensors", tensors);
  EXPECT_EQ(weights_refusal("llama").code, Code::kCorrupt);
  tensors.back().name = "model.layers.0.self_attn.q_proj.bias";
  write_weights("model.safetensors", tensors);
  EXPECT_EQ(weights_refusal("llama").code, Code::kUnsupported);
  EXPECT_TRUE(names(weights_refusal("llama"), "q_proj.bias"));
  fs::resize_file(at_ + "/model.safetensors", fs::file_size(at_ + "/model.safetensors") / 2);
  EXPECT_EQ(weights_refusal("llama").code, Code::kCorrupt);
  fs::remove(at_ + "/model.safetensors");
  EXPECT_EQ(weights_refusal("llama").code, Code::kNotFound);

  // Rows of a query that are no heads, and a matrix that is none.
  const auto fault_of = [&](const std::string& type, const std::string& name,
                            const std::vector<std::int64_t>& shape) {
    std::vector<Named> all = tensors_of(type);
    for (Named& one : all) {
      if (one.name == name) one.shape = shape;
    }
    write_weights("model.safetensors", all);
    const LanguageModelShape told = decoder_shape_of(config_of(type)).value();
    const auto weights = open_decoder_weights(at_, told);
    EXPECT_TRUE(weights);
    const auto model = make_language_model(told, 0);
    const Status loaded = load_weights(weights_of(*model), **weights);
    return loaded ? Error{} : loaded.error();
  };
  const char* query = "model.layers.1.self_attn.q_proj.weight";
  EXPECT_TRUE(names(fault_of("llama", query, {30, 32}), query));
  EXPECT_EQ(fault_of("llama", query, {40, 32}).code, Code::kCorrupt);
  EXPECT_EQ(fault_of("llama", query, {1024}).code, Code::kCorrupt);
  EXPECT_EQ(fault_of("gpt2", "transformer.h.0.mlp.c_fc.weight", {128, 32}).code, Code::kCorrupt);
  EXPECT_EQ(fault_of("gpt2", "transformer.wte.weight", {300, 32}).code, Code::kCorrupt);
}

TEST_F(DecoderFolder, IsNoEncoder) {
  for (const char* type : {"gpt2", "llama", "qwen2"}) {
    write("config.json", config_of(type));
    EXPECT_EQ(is_encoder(at_), false) << type;
  }
  write("config.json", {{"model_type", "bert"}});
  EXPECT_EQ(is_encoder(at_), true);
}

#ifdef QIAO_TEST_GGUF
TEST_F(DecoderFolder, IsOpenedExportedAndReadAgain) {
  for (const char* type : {"gpt2", "llama", "qwen2"}) {
    write_folder(type);
    write("card.json", {{"licence", "MIT"}});
    auto base = open_decoder(at_, 0);
    ASSERT_TRUE(base) << base.error().message;
    EXPECT_EQ(base->name, "source");
    EXPECT_EQ(base->licence, "MIT");
    EXPECT_EQ(base->sha256, sha256_file_hex(at_ + "/model.safetensors").value());
    EXPECT_EQ(base->bundle.codec->size(), kRows);
    EXPECT_EQ(base->bundle.codec->encode("hello").value(), (std::vector<std::int64_t>{292}));
    EXPECT_EQ(model_bytes(at_), fs::file_size(at_ + "/model.safetensors"));
    expect_golden(type, *base->bundle.model);
    const std::string made = folder_ / (std::string(type) + "-made");
    ASSERT_TRUE(disk_.make_directories(made));
    base->bundle.card = Json::object();
    ASSERT_TRUE(save_language_bundle(disk_, made, base->bundle));
    // Compared with llama.cpp's scores there.
    const auto written =
        export_decoder(disk_, made + "/model.gguf", base->bundle, GgufNumbers::kFull, type);
    ASSERT_TRUE(written) << written.error().message;
    const auto again = open_decoder(made, 0);
    ASSERT_TRUE(again) << again.error().message;
    expect_golden(type, *again->bundle.model);
    EXPECT_EQ(again->bundle.codec->end(), base->bundle.codec->end());
  }
}

TEST_F(DecoderFolder, TheTokenizerMustFit) {
  write_folder("qwen2");
  Json words = testing::tiny_bpe("qwen2");
  for (std::int64_t id = 300; id < 312; ++id) {
    words["added_tokens"].push_back({{"id", id}, {"content", "<" + std::to_string(id) + ">"}});
  }
  write("tokenizer.json", words);
  const auto large = open_decoder(at_, 0);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, Code::kCorrupt);
  EXPECT_TRUE(names(large.error(), "310") && names(large.error(), "312"));
  fs::remove(at_ + "/tokenizer.json");
  EXPECT_EQ(open_decoder(at_, 0).error().code, Code::kNotFound);
  write("config.json", {{"model_type", "mistral"}});
  const auto other = open_decoder(at_, 0);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kUnsupported);
  EXPECT_TRUE(names(other.error(), "mistral")) << other.error().message;
}
#endif

}  // namespace
}  // namespace qiao::learn
