// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "learn/encoder.h"

namespace qiao::learn {

// How tokens see those before them.
enum class Architecture { kTransformer, kLstm, kRnn };
std::string_view name_of(Architecture architecture);
Result<Architecture> parse_architecture(std::string_view name);

struct LanguageModelShape {
  Architecture architecture = Architecture::kTransformer;
  std::int64_t layers = 4;
  std::int64_t width = 128;
  std::int64_t heads = 4;     // of a transformer
  std::int64_t context = 64;  // longest stretch of tokens seen at once
  std::int64_t vocabulary = 0;
};
Status check_shape(const LanguageModelShape& shape);
Json to_json(const LanguageModelShape& shape);
Result<LanguageModelShape> language_shape_of(const Json& json);

// A model of the next token. One thread at a time.
class LanguageModel : public torch::nn::Module {
 public:
  // ids [batch, tokens] (tokens ≤ context) → scores of the next token [batch, tokens, vocabulary].
  // A token's scores depend on it and those before it alone.
  virtual torch::Tensor forward(const torch::Tensor& ids) = 0;
};

// With weights of chance: after torch::manual_seed() always the same.
std::shared_ptr<LanguageModel> make_language_model(const LanguageModelShape& shape, double dropout);

// Every weight by name. A transformer's names are GGUF's for GPT-2 (`blk.0.attn_qkv.weight`).
NamedTensors weights_of(const LanguageModel& model);
std::int64_t count_weights(const LanguageModel& model);

}  // namespace qiao::learn
