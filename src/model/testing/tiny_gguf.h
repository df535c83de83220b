// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/testing/temp_folder.h"
#include "model/convert/convert_bert.h"
#include "model/gguf/gguf_writer.h"
#include "model/testing/tiny_bert.h"

namespace qiao::testing {

// The tiny BERT as a GGUF file in `folder`: an encoder of 8 numbers that llama.cpp can run.
inline std::string tiny_encoder(const TempFolder& folder) {
  const model::BertFiles files{"bert-safetensors",
                               folder.write("model.safetensors", tiny_safetensors(tiny_bert())),
                               folder.write("tokenizer.json", tiny_tokenizer(true)), ""};
  const std::string path = folder / "tiny.gguf";
  const auto done = model::convert_bert(files, {"mean", 2, 1e-5, 1}, "tiny", path, nullptr);
  EXPECT_TRUE(done) << done.error().message;
  return path;
}

// The vocabulary of the tiny chat model: <unk>, <s>, </s>, then a token for each byte.
inline void set_byte_vocabulary(model::GgufWriter& writer) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {2, 3, 3};  // unknown, control
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    tokens.emplace_back(text);
    types.push_back(6);
  }
  writer.set("tokenizer.ggml.model", "llama");
  writer.set("tokenizer.ggml.tokens", tokens);
  writer.set("tokenizer.ggml.token_type", types);
  writer.set("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  writer.set("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  writer.set("tokenizer.ggml.add_space_prefix", false);
}

// A chat model of one layer with chance for weights, as a GGUF file in `folder`: what it writes
// is bytes without sense, but the same ones for the same prompt, and fast.
inline std::string tiny_chat(const TempFolder& folder) {
  model::GgufWriter writer;
  writer.set("general.architecture", "llama");
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::uint32_t>>{{"context_length", 2048},
                                                          {"embedding_length", 32},
                                                          {"block_count", 1},
                                                          {"feed_forward_length", 64},
                                                          {"attention.head_count", 2},
                                                          {"vocab_size", 259}}) {
    writer.set("llama." + key, value);
  }
  writer.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  set_byte_vocabulary(writer);
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors = {
      {"token_embd.weight", {259, 32}},  {"output_norm.weight", {32}},
      {"output.weight", {259, 32}},      {"blk.0.attn_norm.weight", {32}},
      {"blk.0.attn_q.weight", {32, 32}}, {"blk.0.attn_k.weight", {32, 32}},
      {"blk.0.attn_v.weight", {32, 32}}, {"blk.0.attn_output.weight", {32, 32}},
      {"blk.0.ffn_norm.weight", {32}},   {"blk.0.ffn_gate.weight", {64, 32}},
      {"blk.0.ffn_up.weight", {64, 32}}, {"blk.0.ffn_down.weight", {32, 64}}};
  for (const auto& [name, shape] : tensors) {
    EXPECT_TRUE(writer.add_tensor(name, shape, false)) << name;
  }
  Rng chance(7);
  const auto values = [&](std::size_t index) -> Result<std::vector<float>> {
    std::size_t count = 1;
    for (const auto side : tensors[index].second) count *= static_cast<std::size_t>(side);
    std::vector<float> numbers(count, 1);
    if (tensors[index].second.size() == 1) return numbers;  // norms
    for (float& number : numbers) number = static_cast<float>(chance.unit() * 2 - 1);
    return numbers;
  };
  const std::string path = folder / "chat.gguf";
  const auto done = writer.write(path, values);
  EXPECT_TRUE(done) << done.error().message;
  return path;
}

}  // namespace qiao::testing
