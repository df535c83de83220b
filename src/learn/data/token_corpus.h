// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "learn/data/token_folder.h"
#include "learn/data/token_row.h"
#include "learn/tokenizers/left_out.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

// A text as tokens, its end held out for validation.
struct TokenCorpus {
  std::string sha256;  // of the text, or of the token folder's index
  TokenRow train;
  TokenRow held_out;
  std::optional<LeftOut> left_out = {};  // of a text; nobody counted a token folder's
};

struct CorpusOptions {
  std::string name;             // for errors
  std::string separator;        // stands between documents; "": the text is one
  double held_out = 0.1;        // share of the tokens
  std::int64_t tokens_min = 0;  // each part must have more
};

// Each separator becomes the codec's end of a text, so that the model learns where texts end; of a
// text without tokens nothing is left. invalid_argument when a part is too short, or the codec has
// no such token.
Result<TokenCorpus> make_corpus(std::string_view text, const TextCodec& codec,
                                const CorpusOptions& options);

// What a model learns from: a file of plain text, perhaps gzipped, or a folder of tokens, which may
// be larger than memory. A value; immutable.
class CorpusSource {
 public:
  static constexpr std::size_t kTextBytesMax = std::size_t{1} << 30;

  // Reads the text, or checks the folder's files. Blocks.
  static Result<CorpusSource> open(const std::string& path);

  // Of a file; null of a folder.
  [[nodiscard]] const std::string* text() const { return folder_ ? nullptr : &text_; }
  // How its text becomes tokens when no base says it: as the tokenizer in the folder `tokenizer`
  // ("": none), or as the token folder was made, or by the text's own characters.
  [[nodiscard]] Result<std::shared_ptr<const TextCodec>> codec(const std::string& tokenizer) const;
  // invalid_argument when a token folder was made with another codec.
  [[nodiscard]] Result<TokenCorpus> tokens(const TextCodec& codec,
                                           const CorpusOptions& options) const;

 private:
  std::string path_;
  std::string text_;
  std::optional<TokenFolder> folder_;
};

}  // namespace qiao::learn
