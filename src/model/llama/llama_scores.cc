// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_scores.h"

#include <algorithm>
#include <utility>

#include "model/llama/llama_handles.h"
#include "model/llama/local_model.h"

namespace qiao::model {
namespace {

llama_context_params exact_parameters() {
  auto parameters = llama_context_default_params();
  constexpr auto room = static_cast<std::uint32_t>(kScoredTokensMax);
  parameters.n_ctx = room;
  parameters.n_batch = room;
  parameters.n_ubatch = room;
  parameters.n_seq_max = 1;
  parameters.n_outputs_max = room;
  parameters.type_k = GGML_TYPE_F32;
  parameters.type_v = GGML_TYPE_F32;
  parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  return parameters;
}

}  // namespace

struct LlamaScorer::Impl {
  std::string path;
  LlamaWeights weights;
  LlamaRun run;
};

LlamaScorer::LlamaScorer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LlamaScorer::LlamaScorer(LlamaScorer&& other) noexcept = default;
LlamaScorer::~LlamaScorer() = default;

Result<LlamaScorer> LlamaScorer::open(const std::string& path, const std::string& adapter,
                                      int threads) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  QIAO_ASSIGN(const int file, open_model_file("probe", path));
  QIAO_ASSIGN(impl->weights, load_weights(file, path));
  QIAO_ASSIGN(impl->run, make_run(*impl->weights, exact_parameters(), threads));
  if (!adapter.empty()) {
    QIAO_ASSIGN(const int lora, open_model_file("probe", adapter));
    QIAO_TRY(use_adapter(*impl->weights, *impl->run.context, lora, adapter));
  }
  return LlamaScorer(std::move(impl));
}

std::size_t LlamaScorer::tokens_max() const {
  const std::int32_t trained = llama_model_n_ctx_train(impl_->weights.get());
  return std::min(kScoredTokensMax, static_cast<std::size_t>(std::max(1, trained)));
}

Result<std::vector<std::vector<float>>> LlamaScorer::score(const std::vector<std::int32_t>& ids) {
  // Past the last row of a table of positions llama.cpp aborts.
  if (ids.empty() || ids.size() > tokens_max()) {
    return invalid_argument("1 to " + std::to_string(tokens_max()) + " tokens are scored");
  }
  llama_context* context = impl_->run.context.get();
  const std::int32_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(impl_->weights.get()));
  LlamaBatch batch(static_cast<std::int32_t>(ids.size()), 1, vocabulary);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!batch.add(ids[i], static_cast<llama_pos>(i), 0, true)) {
      return invalid_argument("token " + std::to_string(ids[i]) + " is not in the vocabulary");
    }
  }
  if (const auto memory = llama_get_memory(context)) llama_memory_clear(memory, false);
  if (llama_decode(context, batch.view()) != 0) {
    return Error{Code::kModelFailed, "llama.cpp cannot run " + impl_->path};
  }
  std::vector<std::vector<float>> scores;
  for (std::int32_t i = 0; i < batch.size(); ++i) {
    const float* row = llama_get_logits_ith(context, i);
    if (row == nullptr) return Error{Code::kModelFailed, impl_->path + " gives no scores"};
    scores.emplace_back(row, row + vocabulary);
  }
  return scores;
}

Result<std::vector<std::vector<float>>> llama_scores(const std::string& path,
                                                     const std::string& adapter,
                                                     const std::vector<std::int32_t>& ids) {
  QIAO_ASSIGN(LlamaScorer scorer, LlamaScorer::open(path, adapter, 1));
  return scorer.score(ids);
}

}  // namespace qiao::model
