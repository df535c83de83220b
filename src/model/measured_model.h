// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/model.h"

namespace qiao::model {

// Any Model, counted: answers, failures, tokens, time to the first token, texts encoded, and the
// time of encoding, each labelled with the model's name. Thread-safe as the model it wraps.
// `clock` and `metrics` must outlive it.
class MeasuredModel final : public Model {
 public:
  MeasuredModel(std::shared_ptr<Model> model, const std::string& name, const Clock& clock,
                Metrics& metrics);

  [[nodiscard]] ModelInfo info() const override { return model_->info(); }
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override { model_->cancel(request); }
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override {
    return model_->count_tokens(text);
  }

 private:
  void count(const Generated& generated);
  OnEmbedded measured(OnEmbedded on_done);

  const Clock& clock_;
  Counter& answers_;
  Counter& failures_;
  Counter& prompt_tokens_;
  Counter& cached_tokens_;
  Counter& completion_tokens_;
  Counter& texts_;
  Histogram& first_token_;
  Histogram& encoding_;
  std::shared_ptr<Model> model_;  // last: its callbacks use the others
};

}  // namespace qiao::model
