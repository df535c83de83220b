// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "learn/tokenizers/characters.h"
#include "model/gguf/gguf_writer.h"
#include "model/llama/token_codec.h"

namespace qiao::learn {

// Text to tokens and back, as one language model has it. Immutable, thread-safe.
class TextCodec {
 public:
  TextCodec() = default;
  TextCodec(const TextCodec&) = delete;
  TextCodec& operator=(const TextCodec&) = delete;
  virtual ~TextCodec() = default;

  [[nodiscard]] virtual std::int64_t size() const = 0;  // of the vocabulary
  [[nodiscard]] virtual std::int64_t end() const = 0;   // the token after a text; -1: none
  [[nodiscard]] virtual Result<std::vector<std::int64_t>> encode(std::string_view text) const = 0;
  // Bytes, perhaps a part of a character.
  [[nodiscard]] virtual std::string decode(std::int64_t id) const = 0;

  // Into a bundle's folder; load_text_codec() reads it again.
  virtual Status save(Disk& disk, const std::string& folder) const = 0;
  // The keys by which llama.cpp makes the same tokens.
  virtual Status describe(model::GgufWriter& gguf) const = 0;
};

// Single characters, then one token that ends a text; `characters.json`. What is not in the
// vocabulary is left out.
class CharacterCodec final : public TextCodec {
 public:
  explicit CharacterCodec(Characters characters) : characters_(std::move(characters)) {}

  [[nodiscard]] std::int64_t size() const override { return end() + 1; }
  [[nodiscard]] std::int64_t end() const override {
    return static_cast<std::int64_t>(characters_.size());
  }
  [[nodiscard]] Result<std::vector<std::int64_t>> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(std::int64_t id) const override;
  Status save(Disk& disk, const std::string& folder) const override;
  Status describe(model::GgufWriter& gguf) const override;

 private:
  Characters characters_;
};

// The tokenizer and chat form of a GGUF; `tokenizer.gguf`, a file of keys without tensors.
class GgufCodec final : public TextCodec {
 public:
  // `path` must stay where it is.
  static Result<std::shared_ptr<const GgufCodec>> open(const std::string& path);
  // Of the keys that such a file would hold; `name` is what an Error calls it.
  static Result<std::shared_ptr<const GgufCodec>> of_keys(
      std::shared_ptr<const model::GgufWriter> keys, const std::string& name);

  [[nodiscard]] std::int64_t size() const override { return tokens_->size(); }
  [[nodiscard]] std::int64_t end() const override { return tokens_->end(); }
  [[nodiscard]] Result<std::vector<std::int64_t>> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(std::int64_t id) const override;
  Status save(Disk& disk, const std::string& folder) const override;
  Status describe(model::GgufWriter& gguf) const override;
  [[nodiscard]] const model::TokenCodec& tokens() const { return *tokens_; }

 private:
  GgufCodec(std::string path, std::shared_ptr<const model::GgufWriter> keys,
            std::shared_ptr<const model::TokenCodec> tokens)
      : path_(std::move(path)), keys_(std::move(keys)), tokens_(std::move(tokens)) {}
  std::string path_;
  std::shared_ptr<const model::GgufWriter> keys_;  // null: they are in the file
  std::shared_ptr<const model::TokenCodec> tokens_;
};

Result<std::shared_ptr<const TextCodec>> load_text_codec(const std::string& folder);
// Of a file of another program: tokenizer.json (WordPiece, or byte-level BPE: GPT-2's, and by
// read_bpe_codec() those of SmolLM, Llama 3 and Qwen2), vocab.txt, or a .model of SentencePiece.
Result<std::shared_ptr<const TextCodec>> read_text_codec(const std::string& path);
// The codec of a place that a person names: a folder of load_text_codec(), a GGUF file, a file
// of read_text_codec(), or an installed model.
Result<std::shared_ptr<const TextCodec>> open_text_codec(const std::string& place);

// Writes the file beside `path`, then gives it its name.
Status write_gguf(Disk& disk, const std::string& path, model::GgufWriter& gguf,
                  const model::GgufWriter::Values& values);

}  // namespace qiao::learn
