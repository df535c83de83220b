// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace qiao::model {
namespace {

// Past some hundred tokens a larger tile computes no faster, and its attention, which is taken
// over the whole tile, grows with the square.
constexpr std::size_t kTileTokens = 256;
constexpr std::size_t kTileSequences = 64;
constexpr std::size_t kTextTokensMax = 2048;  // also of models that take more

Result<enum llama_pooling_type> pooling_of(const ModelOptions& options) {
  if (options.pooling.empty()) return LLAMA_POOLING_TYPE_UNSPECIFIED;
  if (options.pooling == "cls") return LLAMA_POOLING_TYPE_CLS;
  if (options.pooling == "mean") return LLAMA_POOLING_TYPE_MEAN;
  if (options.pooling == "none") return LLAMA_POOLING_TYPE_NONE;
  return invalid_argument("model " + options.name + ": pooling must be cls, mean or none, not '" +
                          options.pooling + "'");
}

// Bytes of `text` without a character that is cut at its end.
std::size_t whole_characters(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && (static_cast<unsigned char>(text[end - 1]) & 0xC0) == 0x80) --end;
  return end > 0 && static_cast<unsigned char>(text[end - 1]) >= 0xC0 ? end - 1 : end;
}

std::size_t text_tokens_max(const llama_model& weights) {
  const auto trained = std::max(llama_model_n_ctx_train(&weights), 8);
  return std::min(static_cast<std::size_t>(trained), kTextTokensMax);
}

Result<LlamaRun> make_encoder_run(const ModelOptions& options, llama_model& weights) {
  QIAO_ASSIGN(const auto pooling, pooling_of(options));
  auto parameters = llama_context_default_params();
  const auto tokens = static_cast<std::uint32_t>(std::max(kTileTokens, text_tokens_max(weights)));
  parameters.n_ctx = tokens;
  parameters.n_batch = tokens;
  parameters.n_ubatch = tokens;  // an encoder computes a tile at once
  parameters.n_seq_max = kTileSequences;
  parameters.kv_unified = true;
  parameters.embeddings = true;
  parameters.pooling_type = pooling;
  QIAO_ASSIGN(auto run, make_run(weights, parameters, threads_of(options)));
  const auto pooled = llama_pooling_type(run.context.get());
  if (pooled == LLAMA_POOLING_TYPE_NONE && pooling == LLAMA_POOLING_TYPE_UNSPECIFIED) {
    parameters.pooling_type = LLAMA_POOLING_TYPE_MEAN;  // the file says nothing
    return make_run(weights, parameters, threads_of(options));
  }
  if ((pooled == LLAMA_POOLING_TYPE_NONE && pooling != LLAMA_POOLING_TYPE_NONE) ||
      pooled == LLAMA_POOLING_TYPE_RANK) {
    return Error{Code::kUnsupported, "model " + options.name + " makes no vectors of texts"};
  }
  return run;
}

}  // namespace

Result<std::shared_ptr<LocalModel>> LlamaEncoder::open(const ModelOptions& options, int fd) {
  QIAO_ASSIGN(auto weights, load_weights(fd, options.path));
  QIAO_ASSIGN(auto run, make_encoder_run(options, *weights));
  return std::shared_ptr<LocalModel>(new LlamaEncoder(options, std::move(weights), std::move(run)));
}

LlamaEncoder::LlamaEncoder(const ModelOptions& options, LlamaWeights weights, LlamaRun run)
    : name_(options.name),
      requests_max_(std::max<std::size_t>(options.requests_max, 1)),
      weights_(std::move(weights)),
      run_(std::move(run)),
      vocab_(llama_model_get_vocab(weights_.get())),
      tokens_max_(text_tokens_max(*weights_)),
      pools_(llama_pooling_type(run_.context.get()) != LLAMA_POOLING_TYPE_NONE),
      batch_(static_cast<std::int32_t>(std::max(kTileTokens, tokens_max_)), kTileSequences,
             llama_vocab_n_tokens(vocab_)),
      queue_({kTileTokens, kTileSequences},
             [this](const std::string& text) { return tokens_of(text); }),
      thread_([this] { work(); }) {}

LlamaEncoder::~LlamaEncoder() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  there_.notify_one();
  thread_.join();
}

ModelInfo LlamaEncoder::info() const {
  ModelInfo info;
  info.name = name_;
  info.kind = "encoder";
  info.where = "in-process";
  info.context_tokens = static_cast<std::int32_t>(tokens_max_);
  info.embedding_size = llama_model_n_embd_out(weights_.get());
  info.slots = 1;
  info.ready = true;
  return info;
}

Model::RequestId LlamaEncoder::generate(GenerateRequest /*request*/, OnText /*on_text*/,
                                        OnGenerated on_done) {
  on_done(Error{Code::kUnsupported, "model " + name_ + " is an encoder: it writes no answers"});
  return 0;
}

void LlamaEncoder::cancel(RequestId /*request*/) {}  // there are no answers to cancel

void LlamaEncoder::embed(std::vector<std::string> texts, OnEmbedded on_done) {
  if (!pools_) {
    return on_done(Error{Code::kUnsupported, "model " + name_ + " makes no vectors of texts"});
  }
  ask({std::move(texts), {}, [this, on_done = std::move(on_done)](Result<Embeddings> vectors) {
         on_done(vectors ? unit_vectors(std::move(*vectors)) : std::move(vectors));
       }});
}

void LlamaEncoder::encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) {
  for (const auto& list : tokens) {
    if (Status good = check(list); !good) return on_done(std::move(good.error()));
  }
  ask({{}, std::move(tokens), std::move(on_done)});
}

void LlamaEncoder::ask(Asked asked) {
  if (std::max(asked.texts.size(), asked.tokens.size()) > kEmbedTextsMax) {
    return asked.on_done(
        invalid_argument("more than " + std::to_string(kEmbedTextsMax) + " texts at once"));
  }
  {
    const std::lock_guard lock(mutex_);
    if (waiting_ < requests_max_) {
      ++waiting_;
      asked_.push_back(std::move(asked));
      there_.notify_one();
      return;
    }
  }
  asked.on_done(overloaded(std::to_string(requests_max_) + " requests wait for model " + name_ +
                           " already: try again later"));
}

Status LlamaEncoder::check(const std::vector<Token>& tokens) const {
  if (tokens.empty() || tokens.size() > tokens_max_) {
    return invalid_argument("model " + name_ + " takes 1 to " + std::to_string(tokens_max_) +
                            " tokens");
  }
  const Token known = llama_vocab_n_tokens(vocab_);
  const auto strange = [known](Token token) { return token < 0 || token >= known; };
  if (std::none_of(tokens.begin(), tokens.end(), strange)) return {};
  return invalid_argument("model " + name_ + " has no such token");
}

Result<std::int32_t> LlamaEncoder::count_tokens(std::string_view text) {
  QIAO_ASSIGN(const auto tokens, tokenise(*vocab_, text, false));
  return static_cast<std::int32_t>(tokens.size());
}

bool LlamaEncoder::take_asked() {
  std::vector<Asked> asked;
  {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [this] { return stopping_ || !asked_.empty() || !queue_.empty(); });
    if (stopping_) return false;
    asked.swap(asked_);
  }
  for (auto& one : asked) {
    auto on_done = [this, on_done = std::move(one.on_done)](Result<Embeddings> vectors) {
      --waiting_;
      on_done(std::move(vectors));
    };
    if (one.tokens.empty()) {
      queue_.add(std::move(one.texts), std::move(on_done));
    } else {
      queue_.add_tokens(std::move(one.tokens), std::move(on_done));
    }
  }
  return true;
}

void LlamaEncoder::work() {
  while (take_asked()) {
    const auto& tile = queue_.next_tile();
    if (tile.empty()) continue;
    queue_.finish_tile(compute(tile));
    ++steps_;
  }
  const Error error{Code::kCancelled, "model " + name_ + " was closed"};
  queue_.drop_all(error);
  for (const auto& one : asked_) one.on_done(error);
}

Result<std::vector<Token>> LlamaEncoder::tokens_of(const std::string& text) const {
  // Few tokens have more than 32 bytes: no need to read more of the text.
  auto head = std::string_view(text).substr(0, tokens_max_ * 32);
  if (head.size() < text.size()) head = head.substr(0, whole_characters(head));
  QIAO_ASSIGN(auto tokens, tokenise(*vocab_, head, false));
  const bool bert = llama_vocab_type(vocab_) == LLAMA_VOCAB_TYPE_WPM;
  const bool begins = bert || llama_vocab_get_add_bos(vocab_);
  const bool ends = bert || llama_vocab_get_add_eos(vocab_);
  tokens.resize(std::min(tokens.size(), tokens_max_ - (begins ? 1 : 0) - (ends ? 1 : 0)));
  if (begins) tokens.insert(tokens.begin(), llama_vocab_bos(vocab_));
  if (ends) tokens.push_back(bert ? llama_vocab_sep(vocab_) : llama_vocab_eos(vocab_));
  return tokens;
}

Result<Embeddings> LlamaEncoder::compute(const std::vector<std::vector<Token>>& tile) {
  batch_.clear();
  for (std::size_t i = 0; i < tile.size(); ++i) {
    llama_pos position = 0;
    for (const Token token : tile[i]) {
      if (!batch_.add(token, position++, static_cast<llama_seq_id>(i), true)) {
        return Error{Code::kModelFailed, "model " + name_ + " has no such token as its tokenizer"};
      }
    }
  }
  if (const auto memory = llama_get_memory(run_.context.get())) llama_memory_clear(memory, false);
  try {
    if (llama_decode(run_.context.get(), batch_.view()) != 0) {
      return Error{Code::kModelFailed, "model " + name_ + " could not compute these texts"};
    }
  } catch (const std::exception& e) {
    return Error{Code::kModelFailed, "model " + name_ + " failed: " + e.what()};
  }
  Embeddings vectors;
  std::size_t first = 0;
  for (std::size_t i = 0; i < tile.size(); ++i) {
    QIAO_ASSIGN(auto vector, vector_of(static_cast<llama_seq_id>(i), first, tile[i].size()));
    first += tile[i].size();
    vectors.push_back(std::move(vector));
  }
  return vectors;
}

Result<std::vector<float>> LlamaEncoder::vector_of(llama_seq_id sequence, std::size_t first,
                                                   std::size_t tokens) const {
  const auto width = static_cast<std::size_t>(llama_model_n_embd_out(weights_.get()));
  std::vector<float> vector;
  const auto append = [&](const float* raw) {
    if (raw != nullptr) vector.insert(vector.end(), raw, raw + width);
    return raw != nullptr;
  };
  bool whole = true;
  if (pools_) whole = append(llama_get_embeddings_seq(run_.context.get(), sequence));
  for (std::size_t i = 0; whole && !pools_ && i < tokens; ++i) {
    whole =
        append(llama_get_embeddings_ith(run_.context.get(), static_cast<std::int32_t>(first + i)));
  }
  if (whole) return vector;
  return Error{Code::kModelFailed, "model " + name_ + " gave no vector"};
}

Result<Embeddings> LlamaEncoder::unit_vectors(Embeddings vectors) const {
  for (auto& vector : vectors) {
    double square = 0;
    for (const float x : vector) square += double{x} * x;
    if (!(square > 0) || !std::isfinite(square)) {
      return Error{Code::kModelFailed, "model " + name_ + " computed a vector without a direction"};
    }
    const auto scale = static_cast<float>(1 / std::sqrt(square));
    for (float& x : vector) x *= scale;
  }
  return vectors;
}

}  // namespace qiao::model
