// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/language.h"
#include "base/result.h"
#include "understand/linear_head.h"

namespace qiao {

inline constexpr std::array<std::string_view, 3> kSentiments = {"negative", "neutral", "positive"};

struct Sentiment {
  std::string label;  // of kSentiments
  double score = 0;   // its probability
};

// Tells the sentiment of a text from its vector (models/sentiment-*.json say on what the head was
// trained and how well).
//
// A value; immutable and thread-safe.
class SentimentHead {
 public:
  // Requires: classes in the order of kSentiments.
  explicit SentimentHead(LinearHead head) : head_(std::move(head)) {}
  static Result<SentimentHead> parse(std::string_view json);
  // The one compiled in for `language`; an error only when the program was built wrong.
  static Result<SentimentHead> builtin(Language language);

  // Whether `encoder` is the one this head was trained for. Blocks: encodes the probe.
  [[nodiscard]] bool fits(Model& encoder) const { return head_.fits(encoder); }
  // The most probable one; nothing when the vector's size is another one.
  [[nodiscard]] std::optional<Sentiment> judge(std::span<const float> vector) const;
  // The probability of each of kSentiments. Requires: the vector has size().
  [[nodiscard]] std::vector<double> chances(std::span<const float> vector) const {
    return head_.chances(vector);
  }
  [[nodiscard]] const HeadCard& card() const { return head_.card(); }
  [[nodiscard]] std::size_t size() const { return head_.size(); }

 private:
  LinearHead head_;
};

}  // namespace qiao
