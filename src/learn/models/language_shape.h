// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao::learn {

// How tokens see those before them.
enum class Architecture {
  kTransformer,  // GPT-2
  kLlama,        // RMSNorm, rotary positions in adjacent pairs, SwiGLU, grouped queries
  kQwen2,        // as kLlama, but positions in halves and biases on queries, keys and values
  kLstm,
  kRnn,
};
inline constexpr Architecture kArchitectures[] = {Architecture::kTransformer, Architecture::kLlama,
                                                  Architecture::kQwen2, Architecture::kLstm,
                                                  Architecture::kRnn};
std::string_view name_of(Architecture architecture);
Result<Architecture> parse_architecture(std::string_view name);
// Attention over what came before; what is none is recurrent.
bool is_decoder(Architecture architecture);
bool is_llama_like(Architecture architecture);

struct LanguageModelShape {
  Architecture architecture = Architecture::kTransformer;
  std::int64_t layers = 4;
  std::int64_t width = 128;
  std::int64_t heads = 4;     // of a decoder
  std::int64_t context = 64;  // longest stretch of tokens seen at once
  std::int64_t vocabulary = 0;
  // Of llama and qwen2 alone.
  std::int64_t kv_heads = 0;  // heads that share one key and value stand together; 0: as heads
  std::int64_t inner = 0;     // width of the feed-forward part; 0: 8/3 of the width
  double epsilon = 1e-5;      // of the norms
  double rope_base = 10'000;
  bool tied = true;  // the word table is also the output's
  // Of llama alone: what pruning left in each layer; empty: as above. A head stays width / heads
  // wide. GGUF's name of such a decoder is `deci`.
  std::vector<std::int64_t> layer_heads;
  std::vector<std::int64_t> layer_kv_heads;
  std::vector<std::int64_t> layer_inner;

  [[nodiscard]] bool is_uneven() const { return !layer_heads.empty(); }
  [[nodiscard]] std::int64_t heads_of(std::size_t layer) const {
    return is_uneven() ? layer_heads[layer] : heads;
  }
  [[nodiscard]] std::int64_t kv_heads_of(std::size_t layer) const {
    return is_uneven() ? layer_kv_heads[layer] : kv_heads;
  }
  [[nodiscard]] std::int64_t inner_of(std::size_t layer) const {
    return is_uneven() ? layer_inner[layer] : inner;
  }
};
// With what is 0 chosen from the rest.
LanguageModelShape completed(LanguageModelShape shape);
// Requires: completed.
Status check_shape(const LanguageModelShape& shape);
Json to_json(const LanguageModelShape& shape);
Result<LanguageModelShape> language_shape_of(const Json& json);

}  // namespace qiao::learn
