// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ggml-cpu.h>
#include <llama.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao::model {

using Token = llama_token;

// The C handles of llama.cpp, each freed once.
struct LlamaDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
  void operator()(llama_context* context) const { llama_free(context); }
  void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
};
using LlamaWeights = std::unique_ptr<llama_model, LlamaDeleter>;
using LlamaContext = std::unique_ptr<llama_context, LlamaDeleter>;
using LlamaSampler = std::unique_ptr<llama_sampler, LlamaDeleter>;
using LlamaThreads = std::unique_ptr<ggml_threadpool, LlamaDeleter>;

// Makes llama.cpp ready once in this process; its own words go to log_debug.
void start_llama();

// Loads the GGUF open as `fd` (which it closes), without opening any other file. `corrupt` when
// llama.cpp refuses it.
enum class LoadPart { kAll, kVocabulary };
Result<LlamaWeights> load_weights(int fd, const std::string& path, LoadPart part = LoadPart::kAll);

// From now on the context runs with the LoRA adapter open as `fd` (which it closes); it lives as
// long as the model. `corrupt` when it is damaged or belongs to another model.
Status use_adapter(llama_model& model, llama_context& context, int fd, const std::string& path);

// A context with `threads` threads of its own attached. `unavailable` when memory is short.
struct LlamaRun {
  LlamaThreads pool;  // must outlive the context
  LlamaContext context;
};
Result<LlamaRun> make_run(llama_model& model, const llama_context_params& parameters, int threads);

// Tokens of `text`; `markup` lets it form control tokens. Thread-safe. Past kTextBytesMax:
// invalid_argument.
inline constexpr std::size_t kTextBytesMax = 8 << 20;
Result<std::vector<Token>> tokenise(const llama_vocab& vocab, std::string_view text, bool markup);

// The bytes of one token, perhaps a part of a character. Control tokens have none.
std::string piece_of(const llama_vocab& vocab, Token token);

// A batch for llama_decode with room for `tokens_max` tokens of one sequence each. add() refuses
// what would make llama.cpp abort: one too many, an unknown token or sequence, a negative place.
class LlamaBatch {
 public:
  LlamaBatch(std::int32_t tokens_max, std::int32_t sequences_max, std::int32_t vocabulary);

  void clear() { tokens_.clear(); }
  [[nodiscard]] bool add(Token token, llama_pos position, llama_seq_id sequence, bool output);
  [[nodiscard]] std::int32_t size() const { return static_cast<std::int32_t>(tokens_.size()); }
  [[nodiscard]] std::int32_t room() const { return tokens_max_ - size(); }
  // Valid until the next call.
  llama_batch view();

 private:
  std::int32_t tokens_max_;
  std::int32_t sequences_max_;
  std::int32_t vocabulary_;
  std::vector<Token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<llama_seq_id*> sequence_lists_;
  std::vector<std::int32_t> counts_;
  std::vector<std::int8_t> outputs_;
};

}  // namespace qiao::model
