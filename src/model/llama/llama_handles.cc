// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_handles.h"

#include <unistd.h>

#include <cstdio>
#include <mutex>

#include "base/logging.h"
#include "model/llama/weight_layouts.h"

namespace qiao::model {
namespace {

// How long idle threads of a pool spin before they sleep: some milliseconds, which spans the time
// between two steps of an answer. ggml's own 50 would burn every core for a tenth of a second and
// more after the last one.
constexpr std::uint32_t kPollLevel = 1;

void to_log(ggml_log_level level, const char* text, void* /*unused*/) {
  std::string_view line(text);
  while (line.ends_with('\n')) line.remove_suffix(1);
  if (line.size() < 2) return;  // progress dots
  log_event(level == GGML_LOG_LEVEL_ERROR ? LogLevel::kWarn : LogLevel::kDebug, "llama", line);
}

}  // namespace

void start_llama() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(to_log, nullptr);
    llama_backend_init();
  });
}

Result<LlamaWeights> load_weights(int fd, const std::string& path, LoadPart part) {
  start_llama();
  std::FILE* file = ::fdopen(fd, "rb");
  if (file == nullptr) {
    ::close(fd);
    return internal("no stream for " + path);
  }
  auto parameters = llama_model_default_params();
  parameters.use_extra_bufts = rearranging_is_right();
  parameters.n_gpu_layers = 0;
  parameters.vocab_only = part == LoadPart::kVocabulary;
  // A file of keys alone ends anywhere, which llama.cpp takes for tensors in the wrong place.
  if (parameters.vocab_only) parameters.load_mode = LLAMA_LOAD_MODE_NONE;
  LlamaWeights weights;
  try {
    weights.reset(llama_model_load_from_file_ptr(file, parameters));
  } catch (const std::exception& e) {
    log_warn("llama", e.what());
  } catch (...) {
    log_warn("llama", "unknown exception");
  }
  std::fclose(file);
  if (weights == nullptr) {
    return Error{Code::kCorrupt, "llama.cpp refuses " + path +
                                     ": it is damaged, of an unknown kind, or memory is short"};
  }
  return weights;
}

Status use_adapter(llama_model& model, llama_context& context, int fd, const std::string& path) {
  std::FILE* file = ::fdopen(fd, "rb");
  if (file == nullptr) {
    ::close(fd);
    return internal("no stream for " + path);
  }
  llama_adapter_lora* adapter = llama_adapter_lora_init_from_file_ptr(&model, file);
  std::fclose(file);
  float scale = 1;
  if (adapter != nullptr && llama_set_adapters_lora(&context, &adapter, 1, &scale) == 0) return {};
  return Error{Code::kCorrupt, "llama.cpp refuses the adapter " + path +
                                   ": it is damaged or was made for another model"};
}

Result<LlamaRun> make_run(llama_model& model, const llama_context_params& parameters, int threads) {
  LlamaRun run;
  auto pool = ggml_threadpool_params_default(threads);
  pool.poll = kPollLevel;
  run.pool.reset(ggml_threadpool_new(&pool));
  if (run.pool == nullptr) return unavailable("no threads for the model");
  auto wanted = parameters;
  wanted.n_threads = threads;
  wanted.n_threads_batch = threads;
  wanted.no_perf = true;
  try {
    run.context.reset(llama_init_from_model(&model, wanted));
  } catch (const std::exception& e) {
    return unavailable(std::string("no context for the model: ") + e.what());
  }
  if (run.context == nullptr) {
    return unavailable("no memory for " + std::to_string(parameters.n_ctx) +
                       " tokens of context: lower context_tokens");
  }
  llama_attach_threadpool(run.context.get(), run.pool.get(), run.pool.get());
  return run;
}

Result<std::vector<Token>> tokenise(const llama_vocab& vocab, std::string_view text, bool markup) {
  if (text.size() > kTextBytesMax) {
    return invalid_argument("a text of " + std::to_string(text.size()) + " bytes, more than " +
                            std::to_string(kTextBytesMax));
  }
  const auto bytes = static_cast<std::int32_t>(text.size());
  std::vector<Token> tokens(text.size() + 8);
  try {
    for (int attempt = 0; attempt < 2; ++attempt) {
      const auto count = llama_tokenize(&vocab, text.data(), bytes, tokens.data(),
                                        static_cast<std::int32_t>(tokens.size()), false, markup);
      if (count >= 0) {
        tokens.resize(static_cast<std::size_t>(count));
        return tokens;
      }
      if (count == INT32_MIN) break;
      tokens.resize(static_cast<std::size_t>(-count));
    }
  } catch (const std::exception& e) {
    return invalid_argument(std::string("the model's tokenizer cannot read this text: ") +
                            e.what());
  }
  return invalid_argument("the model's tokenizer cannot read this text");
}

std::string piece_of(const llama_vocab& vocab, Token token) {
  std::string piece(32, '\0');
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto bytes = llama_token_to_piece(&vocab, token, piece.data(),
                                            static_cast<std::int32_t>(piece.size()), 0, false);
    if (bytes >= 0) {
      piece.resize(static_cast<std::size_t>(bytes));
      return piece;
    }
    piece.resize(static_cast<std::size_t>(-bytes));
  }
  return {};
}

LlamaBatch::LlamaBatch(std::int32_t tokens_max, std::int32_t sequences_max, std::int32_t vocabulary)
    : tokens_max_(tokens_max), sequences_max_(sequences_max), vocabulary_(vocabulary) {
  const auto room = static_cast<std::size_t>(tokens_max);
  tokens_.reserve(room);
  positions_.resize(room);
  sequences_.resize(room);
  sequence_lists_.resize(room);
  counts_.assign(room, 1);
  outputs_.resize(room);
  for (std::size_t i = 0; i < room; ++i) sequence_lists_[i] = &sequences_[i];
}

bool LlamaBatch::add(Token token, llama_pos position, llama_seq_id sequence, bool output) {
  if (room() <= 0 || token < 0 || token >= vocabulary_ || position < 0 || sequence < 0 ||
      sequence >= sequences_max_) {
    return false;
  }
  const std::size_t at = tokens_.size();
  tokens_.push_back(token);
  positions_[at] = position;
  sequences_[at] = sequence;
  outputs_[at] = output ? 1 : 0;
  return true;
}

llama_batch LlamaBatch::view() {
  llama_batch batch{};
  batch.n_tokens = size();
  batch.token = tokens_.data();
  batch.pos = positions_.data();
  batch.n_seq_id = counts_.data();
  batch.seq_id = sequence_lists_.data();
  batch.logits = outputs_.data();
  return batch;
}

}  // namespace qiao::model
