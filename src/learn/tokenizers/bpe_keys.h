// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/json.h"
#include "learn/tokenizers/text_codec.h"
#include "model/gguf/gguf_writer.h"

namespace qiao::learn {

// What Hugging Face's files beside a tokenizer.json say; null or "" where there is none.
struct BesideTokenizer {
  Json config;                // tokenizer_config.json: names of tokens, a chat form
  Json generation;            // generation_config.json: what ends a text
  Json model;                 // config.json
  std::string chat_template;  // chat_template.jinja
};
Result<BesideTokenizer> read_beside(const std::string& folder);

// A tokenizer.json of byte-level BPE as the keys of a GGUF, by which llama.cpp makes the same
// tokens. Words are cut as GPT-2, SmolLM, Llama 3 or Qwen2 cut them; another pattern, SentencePiece
// and Unigram are `unsupported` by name. `rows`: of the word table (0: one a token); those behind
// the last token become tokens that no text has. Fewer rows than tokens are `corrupt`.
Result<std::shared_ptr<const model::GgufWriter>> bpe_keys(const Json& json,
                                                          const BesideTokenizer& beside,
                                                          std::int64_t rows);

// The codec of the file `path`, which holds `json`, and of what lies beside it.
Result<std::shared_ptr<const GgufCodec>> read_bpe_codec(const std::string& path, const Json& json,
                                                        std::int64_t rows = 0);

}  // namespace qiao::learn
