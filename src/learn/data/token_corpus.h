// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "learn/data/text_codec.h"

namespace qiao::learn {

// A text as tokens, its end held out for validation.
struct TokenCorpus {
  std::string sha256;  // of the text
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> held_out;
};

struct CorpusOptions {
  std::string name;             // for errors
  std::string separator;        // stands between documents; "": the text is one
  double held_out = 0.1;        // share of the tokens
  std::int64_t tokens_min = 0;  // each part must have more
};

// Each separator becomes the codec's end of a text, so that the model learns where texts end.
// invalid_argument when a part is too short, or the codec has no such token.
Result<TokenCorpus> make_corpus(std::string_view text, const TextCodec& codec,
                                const CorpusOptions& options);

}  // namespace qiao::learn
