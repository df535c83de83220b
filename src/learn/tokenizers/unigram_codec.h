// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

// A unigram model of pieces (Kudo 2018): the likeliest row of pieces that makes the text.
// `tokenizer.model` in SentencePiece's form, with its tokens. A run of characters that no piece has
// is one unknown token, which decodes to nothing.
class UnigramCodec final : public TextCodec {
 public:
  // Of the bytes of a .model file. `unsupported` when it is no unigram model, or has rules that
  // llama.cpp follows otherwise: bytes as pieces, or a normalisation of its own.
  static Result<std::shared_ptr<const UnigramCodec>> of_model(std::string bytes);
  ~UnigramCodec() override;

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t end() const override;
  [[nodiscard]] Result<std::vector<std::int64_t>> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(std::int64_t id) const override;
  Status save(Disk& disk, const std::string& folder) const override;
  Status describe(model::GgufWriter& gguf) const override;

 private:
  struct Impl;
  explicit UnigramCodec(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao::learn
