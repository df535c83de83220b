// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/testing/temp_folder.h"
#include "learn/files/decoder_gguf.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn::testing {

using qiao::testing::TempFolder;

// Printable ASCII, a blank and a line's end, one token each, and ChatML's two control tokens.
class ChatLetters final : public TextCodec {
 public:
  ChatLetters() {
    for (char letter = '!'; letter <= '~'; ++letter) tokens_.emplace_back(1, letter);
    tokens_.insert(tokens_.end(), {"\u0120", "\u010A", "<|im_start|>", "<|im_end|>"});
  }
  [[nodiscard]] std::int64_t size() const override { return std::int64_t(tokens_.size()); }
  [[nodiscard]] std::int64_t end() const override { return size() - 1; }
  [[nodiscard]] Result<std::vector<std::int64_t>> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (const char letter : text) ids.push_back(letter - '!');
    return ids;
  }
  [[nodiscard]] std::string decode(std::int64_t id) const override {
    return tokens_[static_cast<std::size_t>(id)];
  }
  Status save(Disk& /*disk*/, const std::string& /*folder*/) const override { return {}; }
  Status describe(model::GgufWriter& gguf) const override {
    std::vector<std::int32_t> kinds(tokens_.size(), 1);
    kinds[kinds.size() - 1] = kinds[kinds.size() - 2] = 3;
    gguf.set("tokenizer.ggml.model", "gpt2");
    gguf.set("tokenizer.ggml.pre", "gpt-2");
    gguf.set("tokenizer.ggml.tokens", tokens_);
    gguf.set("tokenizer.ggml.token_type", kinds);
    gguf.set("tokenizer.ggml.merges", std::vector<std::string>());
    gguf.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(end()));
    gguf.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(end()));
    gguf.set("tokenizer.ggml.add_bos_token", false);
    gguf.set("tokenizer.chat_template",
             "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
             "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}");
    return {};
  }

 private:
  std::vector<std::string> tokens_;
};

// A decoder with weights of chance, large enough for every part to matter.
inline LanguageBundle chance_decoder(LanguageModelShape shape,
                                     std::shared_ptr<const TextCodec> codec) {
  shape.vocabulary = codec->size();
  shape = completed(shape);
  EXPECT_TRUE(check_shape(shape));
  torch::manual_seed(5);
  auto model = make_language_model(shape, 0);
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : weights_of(*model)) {
    tensor.copy_(torch::randn_like(tensor) * (tensor.dim() == 1 ? 0.5 : 0.2));
  }
  model->eval();
  return {shape, std::move(codec), std::move(model), {}};
}

inline LanguageModelShape tiny_shape(Architecture architecture) {
  LanguageModelShape shape;
  shape.architecture = architecture;
  shape.layers = 2;
  shape.width = 32;
  shape.heads = 4;
  shape.kv_heads = 2;
  shape.inner = 64;
  shape.context = 96;
  return shape;
}

}  // namespace qiao::learn::testing
