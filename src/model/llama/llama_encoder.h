// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "model/llama/encoder_queue.h"
#include "model/llama/llama_handles.h"
#include "model/llama/local_model.h"

namespace qiao::model {

// An encoder in this process: texts to vectors of unit norm, computed in tiles of some hundred
// tokens by one thread (and its pool). A text longer than the model takes is cut at its end.
// generate() is refused. With the pooling "none" encode() gives the vectors of all tokens, and
// embed() is refused too.
//
// Thread-safe. At most `requests_max` embed() calls wait. The destructor ends them `cancelled`.
// Do not destroy it in one of its callbacks.
class LlamaEncoder final : public LocalModel {
 public:
  static Result<std::shared_ptr<LocalModel>> open(const ModelOptions& options, int fd);
  ~LlamaEncoder() override;

  [[nodiscard]] ModelInfo info() const override;
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override;
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override;
  [[nodiscard]] Progress progress() const override { return {steps_.load(), waiting_.load() > 0}; }

 private:
  struct Asked {
    std::vector<std::string> texts;
    std::vector<std::vector<Token>> tokens;  // in the place of texts
    OnEmbedded on_done;
  };

  LlamaEncoder(const ModelOptions& options, LlamaWeights weights, LlamaRun run);
  void ask(Asked asked);
  void work();
  bool take_asked();  // false: stop
  [[nodiscard]] Result<std::vector<Token>> tokens_of(const std::string& text) const;
  [[nodiscard]] Status check(const std::vector<Token>& tokens) const;
  [[nodiscard]] Result<Embeddings> unit_vectors(Embeddings vectors) const;
  Result<Embeddings> compute(const std::vector<std::vector<Token>>& tile);
  // `first`: the place of its first token in the batch.
  [[nodiscard]] Result<std::vector<float>> vector_of(llama_seq_id sequence, std::size_t first,
                                                     std::size_t tokens) const;

  const std::string name_;
  const std::size_t requests_max_;
  LlamaWeights weights_;
  LlamaRun run_;
  const llama_vocab* vocab_;
  std::size_t tokens_max_;  // of a text
  const bool pools_;        // or gives the vectors of all tokens
  LlamaBatch batch_;
  EncoderQueue queue_;
  std::atomic<std::uint64_t> steps_{0};
  std::atomic<std::size_t> waiting_{0};
  std::mutex mutex_;
  std::condition_variable there_;
  std::vector<Asked> asked_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace qiao::model
