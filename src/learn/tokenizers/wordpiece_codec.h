// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "learn/tokenizers/text_codec.h"
#include "model/bundle/wordpiece.h"

namespace qiao::learn {

// BERT's tokens for a corpus that an encoder learns from: model::WordPiece without [CLS], each text
// ended by [SEP]. `tokenizer.json` and `vocab.txt`. Not for decoders: capitals and blanks are lost,
// and llama.cpp gives no text back.
class WordPieceCodec final : public TextCodec {
 public:
  explicit WordPieceCodec(model::WordPiece tokenizer);

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t end() const override { return end_; }
  [[nodiscard]] Result<std::vector<std::int64_t>> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(std::int64_t id) const override;
  Status save(Disk& disk, const std::string& folder) const override;
  Status describe(model::GgufWriter& gguf) const override;  // `unsupported`
  [[nodiscard]] const model::WordPiece& tokenizer() const { return tokenizer_; }

 private:
  model::WordPiece tokenizer_;
  std::int64_t end_;
};

}  // namespace qiao::learn
