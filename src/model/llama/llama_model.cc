// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_model.h"

#include <algorithm>

namespace qiao::model {
namespace {

// Requests turned into tokens between two steps, so that a crowd does not hold up the answers
// being written; the most urgent first.
constexpr std::size_t kPreparedPerStep = 16;
// Sequences beside the running ones, for conversations that may go on.
constexpr std::size_t kKeptPerSlot = 3;
constexpr std::size_t kSequencesMax = 256;  // of llama.cpp

LlamaScheduler::Bounds bounds_for(const ModelOptions& options, const llama_model& weights) {
  LlamaScheduler::Bounds bounds;
  bounds.slots = static_cast<std::size_t>(options.slots);
  bounds.cells = static_cast<std::size_t>(options.context_tokens);
  bounds.sharable = !llama_model_is_recurrent(&weights) && !llama_model_is_hybrid(&weights);
  bounds.threads = threads_of(options);
  const std::size_t running = bounds.slots + 2;  // an urgent one more, and an idle one
  const std::size_t kept =
      bounds.sharable ? bounds.slots * kKeptPerSlot + LlamaSequences::kPinnedMax : 0;
  bounds.sequences = std::min(running + kept, kSequencesMax);
  return bounds;
}

Result<LlamaRun> make_chat_run(llama_model& weights, const LlamaScheduler::Bounds& bounds) {
  auto parameters = llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(bounds.cells);
  parameters.n_batch = LlamaScheduler::kBatchTokens;
  parameters.n_ubatch = LlamaScheduler::kBatchTokens;
  parameters.n_seq_max = static_cast<std::uint32_t>(bounds.sequences);
  parameters.kv_unified = true;  // sequences share cells
  return make_run(weights, parameters, bounds.threads);
}

Status check_chat(const ModelOptions& options, const llama_model& weights) {
  const auto* vocab = llama_model_get_vocab(&weights);
  const bool speaks = llama_model_has_decoder(&weights) && !llama_model_has_encoder(&weights) &&
                      llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_NONE &&
                      llama_vocab_type(vocab) != LLAMA_VOCAB_TYPE_WPM;
  if (speaks) return {};
  return Error{Code::kUnsupported, "model " + options.name + ": " + options.path +
                                       " writes no answers; open an encoder with `encoder: true`"};
}

}  // namespace

Result<std::shared_ptr<LocalModel>> LlamaModel::open(const ModelOptions& options, ModelFiles files,
                                                     const Clock& clock) {
  QIAO_ASSIGN(auto weights, load_weights(files.take_weights(), options.path));
  QIAO_TRY(check_chat(options, *weights));
  const auto bounds = bounds_for(options, *weights);
  QIAO_ASSIGN(auto run, make_chat_run(*weights, bounds));
  if (files.adapter() >= 0) {
    QIAO_TRY(use_adapter(*weights, *run.context, files.take_adapter(), options.adapter));
  }
  if (llama_get_memory(run.context.get()) == nullptr) {
    return Error{Code::kUnsupported, "model " + options.name + " keeps no context"};
  }
  return std::shared_ptr<LocalModel>(
      new LlamaModel(options, std::move(weights), std::move(run), bounds, clock));
}

LlamaModel::LlamaModel(const ModelOptions& options, LlamaWeights weights, LlamaRun run,
                       const LlamaScheduler::Bounds& bounds, const Clock& clock)
    : name_(options.name),
      requests_max_(std::max<std::size_t>(options.requests_max, 1)),
      clock_(clock),
      weights_(std::move(weights)),
      run_(std::move(run)),
      codec_(*weights_),
      scheduler_(options.name, *run_.context, bounds, clock) {
  const auto trained = llama_model_n_ctx_train(weights_.get());
  info_.name = name_;
  info_.kind = "generator";
  info_.where = "in-process";
  info_.context_tokens =
      trained > 0 ? std::min(options.context_tokens, trained) : options.context_tokens;
  info_.slots = options.slots;
  info_.ready = true;
  thread_ = std::thread([this] { work(); });
}

LlamaModel::~LlamaModel() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  there_.notify_one();
  thread_.join();
}

ModelInfo LlamaModel::info() const {
  return info_;
}

Model::RequestId LlamaModel::generate(GenerateRequest request, OnText on_text,
                                      OnGenerated on_done) {
  {
    const std::lock_guard lock(mutex_);
    if (open_ < requests_max_) {
      ++open_;
      const RequestId id = ++last_id_;
      const Key key{-int{request.priority}, id};
      asked_[key] = {std::move(request), std::move(on_text), counted(std::move(on_done)),
                     clock_.steady_us()};
      there_.notify_one();
      return id;
    }
  }
  on_done(overloaded(std::to_string(requests_max_) + " requests are with model " + name_ +
                     " already: try again later"));
  return 0;
}

Model::OnGenerated LlamaModel::counted(OnGenerated on_done) {
  return [this, on_done = std::move(on_done)](Result<Generated> generated) {
    --open_;
    on_done(std::move(generated));
  };
}

void LlamaModel::cancel(RequestId request) {
  const std::lock_guard lock(mutex_);
  if (request == 0 || request > last_id_ || open_ == 0) return;
  cancelled_.push_back(request);
  there_.notify_one();
}

void LlamaModel::embed(std::vector<std::string> /*texts*/, OnEmbedded on_done) {
  on_done(Error{Code::kUnsupported,
                "model " + name_ + " writes answers: open an encoder with `encoder: true`"});
}

Result<std::int32_t> LlamaModel::count_tokens(std::string_view text) {
  QIAO_ASSIGN(const auto tokens, tokenise(codec_.vocab(), text, false));
  return static_cast<std::int32_t>(tokens.size());
}

bool LlamaModel::take_asked() {
  std::vector<std::pair<RequestId, Asked>> asked;
  std::vector<RequestId> cancelled;
  {
    std::unique_lock lock(mutex_);
    there_.wait(lock, [this] {
      return stopping_ || !asked_.empty() || !cancelled_.empty() || !scheduler_.empty();
    });
    if (stopping_) return false;
    while (!asked_.empty() && asked.size() < kPreparedPerStep) {
      const auto first = asked_.begin();
      asked.emplace_back(first->first.second, std::move(first->second));
      asked_.erase(first);
    }
    cancelled.swap(cancelled_);
    // Those cancelled before their turn came.
    for (auto at = asked_.begin(); at != asked_.end();) {
      const auto here = at++;
      const auto id = here->first.second;
      if (std::find(cancelled.begin(), cancelled.end(), id) == cancelled.end()) continue;
      asked.emplace_back(id, std::move(here->second));
      asked_.erase(here);
    }
  }
  for (auto& [id, one] : asked) prepare(id, std::move(one));
  for (const auto id : cancelled) scheduler_.cancel(id);
  return true;
}

void LlamaModel::prepare(RequestId id, Asked asked) {
  auto request = prepare_request(codec_, info_.context_tokens, std::move(asked.request));
  if (!request) return asked.on_done(std::move(request.error()).with("model " + name_));
  scheduler_.add({id, std::move(*request), std::move(asked.on_text), std::move(asked.on_done),
                  asked.asked_us});
}

void LlamaModel::work() {
  while (take_asked()) {
    scheduler_.step();
    ++steps_;
  }
  const Error error{Code::kCancelled, "model " + name_ + " was closed"};
  scheduler_.drop_all(error);
  for (auto& [key, asked] : asked_) asked.on_done(error);
}

}  // namespace qiao::model
