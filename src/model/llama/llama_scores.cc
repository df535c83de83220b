// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_scores.h"

#include <utility>

#include "model/llama/llama_handles.h"
#include "model/llama/local_model.h"

namespace qiao::model {
namespace {

constexpr std::size_t kContextStep = 256;

llama_context_params exact_parameters(std::size_t tokens) {
  auto parameters = llama_context_default_params();
  const auto room =
      static_cast<std::uint32_t>((tokens + kContextStep - 1) / kContextStep * kContextStep);
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

Result<std::vector<std::vector<float>>> llama_scores(const std::string& path,
                                                     const std::string& adapter,
                                                     const std::vector<std::int32_t>& ids) {
  if (ids.empty() || ids.size() > kScoredTokensMax) {
    return invalid_argument("1 to " + std::to_string(kScoredTokensMax) + " tokens are scored");
  }
  QIAO_ASSIGN(const int file, open_model_file("probe", path));
  QIAO_ASSIGN(const LlamaWeights weights, load_weights(file, path));
  QIAO_ASSIGN(const LlamaRun run, make_run(*weights, exact_parameters(ids.size()), 1));
  if (!adapter.empty()) {
    QIAO_ASSIGN(const int lora, open_model_file("probe", adapter));
    QIAO_TRY(use_adapter(*weights, *run.context, lora, adapter));
  }
  const std::int32_t vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(weights.get()));
  LlamaBatch batch(static_cast<std::int32_t>(ids.size()), 1, vocabulary);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!batch.add(ids[i], static_cast<llama_pos>(i), 0, true)) {
      return invalid_argument("token " + std::to_string(ids[i]) + " is not in the vocabulary");
    }
  }
  if (llama_decode(run.context.get(), batch.view()) != 0) {
    return Error{Code::kModelFailed, "llama.cpp cannot run " + path};
  }
  std::vector<std::vector<float>> scores;
  for (std::int32_t i = 0; i < batch.size(); ++i) {
    const float* row = llama_get_logits_ith(run.context.get(), i);
    if (row == nullptr) return Error{Code::kModelFailed, path + " gives no scores"};
    scores.emplace_back(row, row + vocabulary);
  }
  return scores;
}

}  // namespace qiao::model
