// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"

namespace qiao::testing {

// An encoder that answers by a function of the texts, at once or when release() is called.
class FakeEncoder final : public Model {
 public:
  using Answer = std::function<Result<Embeddings>(const std::vector<std::string>&)>;

  explicit FakeEncoder(Answer answer) : answer_(std::move(answer)) {}

  // Whether embed() keeps its callers waiting for release().
  void hold(bool on) { hold_ = on; }

  [[nodiscard]] ModelInfo info() const override { return {}; }
  RequestId generate(GenerateRequest, OnText, OnGenerated on_done) override {
    on_done(internal("an encoder does not generate"));
    return 0;
  }
  void cancel(RequestId) override {}
  Result<std::int32_t> count_tokens(std::string_view) override { return 1; }
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override {
    asked.push_back(texts);
    if (!hold_) return on_done(answer_(texts));
    held_.emplace_back(std::move(texts), std::move(on_done));
  }
  void release() {
    for (auto& [texts, on_done] : std::exchange(held_, {})) on_done(answer_(texts));
  }

  std::vector<std::vector<std::string>> asked;

 private:
  Answer answer_;
  bool hold_ = false;
  std::vector<std::pair<std::vector<std::string>, OnEmbedded>> held_;
};

}  // namespace qiao::testing
