// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/result.h"
#include "model/bundle/text_head.h"
#include "model/open_model.h"

namespace qiao {

// A text to be judged, and the message that it is of; "": of none that is on its way.
struct AskedText {
  std::string text;
  std::string message_id = {};
};

// One version of a bundle, loaded: an encoder that llama.cpp runs, and the head that we apply to
// its vectors.
//
// Immutable, thread-safe. judge() returns at once and calls back on the encoder's thread (or
// inside): do not let go of the last Classifier there. The destructor ends what is under way
// `cancelled`. Bounds: the encoder's `requests_max`.
class Classifier {
 public:
  using OnAnswer = std::function<void(Result<HeadAnswer>)>;

  // Of a version's folder (model/bundle_store.h). `engine` and the limits are those of `options`.
  // `unsupported` where the head tells a number: who asks a Classifier needs labels or tags.
  // Returns while a worker loads; wait_until_ready() waits for it.
  static Result<std::shared_ptr<const Classifier>> open(const std::string& folder,
                                                        const std::string& version,
                                                        ModelOptions options, const Clock& clock,
                                                        Metrics& metrics);
  Classifier(std::string name, std::string version, TextHead head, std::shared_ptr<Model> encoder);
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  void judge(std::string text, OnAnswer done) const;
  // Blocks until the encoder answers; `unavailable` with its reason after `timeout_ms`.
  [[nodiscard]] Status wait_until_ready(std::int64_t timeout_ms) const;

  [[nodiscard]] const TextHead& head() const { return *head_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] std::string id() const { return name_ + "@" + version_; }
  [[nodiscard]] ModelInfo info() const { return encoder_->info(); }

 private:
  const std::string name_;
  const std::string version_;
  const std::shared_ptr<const TextHead> head_;  // held by what is under way
  const std::shared_ptr<Model> encoder_;
};

// The blocking form, for start-up and tools; never on a loop.
Result<HeadAnswer> judge_and_wait(const Classifier& classifier, std::string text,
                                  std::int64_t timeout_ms = 60'000);

}  // namespace qiao
