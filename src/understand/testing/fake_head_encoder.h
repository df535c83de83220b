// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"
#include "model/testing/tiny_bundle.h"

namespace qiao::testing {

// The encoder of a tiny bundle (model/testing/tiny_bundle.h) without llama.cpp: the vector of a
// word is 1 in the number of its own, a text's is their mean. Answers at once, or on release().
// Thread-safe.
class FakeHeadEncoder final : public Model {
 public:
  explicit FakeHeadEncoder(bool of_tokens) : of_tokens_(of_tokens) {}

  void hold(bool on) { hold_ = on; }
  void fail(bool on) { fail_ = on; }
  void release() {
    std::unique_lock lock(mutex_);
    auto held = std::exchange(held_, {});
    lock.unlock();
    for (auto& [tokens, on_done] : held) on_done(answer(tokens));
  }
  // How many wait for release().
  [[nodiscard]] std::size_t held() const {
    const std::lock_guard lock(mutex_);
    return held_.size();
  }

  // How often it was asked.
  [[nodiscard]] int passes() const { return passes_; }

  [[nodiscard]] ModelInfo info() const override {
    ModelInfo info;
    info.ready = true;
    return info;
  }
  RequestId generate(GenerateRequest, OnText, OnGenerated on_done) override {
    on_done(internal("an encoder does not generate"));
    return 0;
  }
  void cancel(RequestId) override {}
  Result<std::int32_t> count_tokens(std::string_view) override { return 1; }
  void embed(std::vector<std::string>, OnEmbedded on_done) override {
    on_done(internal("the encoder of a bundle takes tokens"));
  }
  void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) override {
    ++passes_;
    if (!hold_) return on_done(answer(tokens));
    const std::lock_guard lock(mutex_);
    held_.emplace_back(std::move(tokens), std::move(on_done));
  }

 private:
  [[nodiscard]] Result<Embeddings> answer(
      const std::vector<std::vector<std::int32_t>>& texts) const {
    constexpr std::int32_t kControls = 5;
    if (fail_) return unavailable("gone");
    Embeddings vectors;
    for (const auto& tokens : texts) {
      std::vector<float>& out =
          vectors.emplace_back(of_tokens_ ? tokens.size() * kTinyWidth : kTinyWidth);
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] < kControls) continue;
        const auto word = static_cast<std::size_t>(tokens[i] - kControls);
        if (of_tokens_) out[i * kTinyWidth + word] = 1;
        if (!of_tokens_) out[word] += 1 / static_cast<float>(tokens.size() - 2);
      }
    }
    return vectors;
  }

  const bool of_tokens_;
  std::atomic<bool> hold_{false};
  std::atomic<bool> fail_{false};
  std::atomic<int> passes_{0};
  mutable std::mutex mutex_;  // of held_
  std::vector<std::pair<std::vector<std::vector<std::int32_t>>, OnEmbedded>> held_;
};

}  // namespace qiao::testing
