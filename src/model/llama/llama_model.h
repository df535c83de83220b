// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "model/llama/llama_handles.h"
#include "model/llama/llama_request.h"
#include "model/llama/llama_scheduler.h"
#include "model/llama/local_model.h"

namespace qiao::model {

// A chat model in this process: one thread owns the context and its LlamaScheduler; generate()
// only puts the request where that thread finds it. embed() is refused.
//
// Thread-safe. At most `requests_max` requests wait or run. The destructor ends them
// `cancelled`. Do not destroy it in one of its callbacks.
class LlamaModel final : public LocalModel {
 public:
  static Result<std::shared_ptr<LocalModel>> open(const ModelOptions& options, ModelFiles files,
                                                  const Clock& clock);
  ~LlamaModel() override;

  [[nodiscard]] ModelInfo info() const override;
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override;
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override;
  [[nodiscard]] Progress progress() const override { return {steps_.load(), open_.load() > 0}; }

 private:
  struct Asked {
    GenerateRequest request;
    OnText on_text;
    OnGenerated on_done;
    std::int64_t asked_us = 0;
  };
  // Descending priority, then ascending id.
  using Key = std::pair<int, RequestId>;

  LlamaModel(const ModelOptions& options, LlamaWeights weights, LlamaRun run,
             const LlamaScheduler::Bounds& bounds, const Clock& clock);
  void work();
  bool take_asked();  // false: stop
  void prepare(RequestId id, Asked asked);
  OnGenerated counted(OnGenerated on_done);

  const std::string name_;
  const std::size_t requests_max_;
  const Clock& clock_;
  LlamaWeights weights_;
  LlamaRun run_;
  ChatCodec codec_;
  LlamaScheduler scheduler_;
  ModelInfo info_;
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<std::size_t> open_{0};  // requests that have not ended
  std::mutex mutex_;
  std::condition_variable there_;
  std::map<Key, Asked> asked_;
  std::vector<RequestId> cancelled_;
  RequestId last_id_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace qiao::model
