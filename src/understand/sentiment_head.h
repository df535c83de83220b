// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/i18n.h"
#include "base/json.h"
#include "base/result.h"
#include "model/model.h"

namespace qiao {

inline constexpr std::array<std::string_view, 3> kSentiments = {"negative", "neutral", "positive"};

struct Sentiment {
  std::string label;  // of kSentiments
  double score = 0;   // its probability
};

// Tells the sentiment of a text from its vector: one linear layer and a softmax, trained for one
// encoder (models/sentiment-*.json say on what and how well). The file holds the vector that this
// encoder gives a probe text, so that a head is never put on another encoder of the same size.
//
// A value; immutable and thread-safe. Bound: kHeadSizeMax numbers per vector.
class SentimentHead {
 public:
  static constexpr std::size_t kHeadSizeMax = 4096;

  // What a file holds beside the layer.
  struct Card {
    std::string encoder;              // name in the catalogue
    std::string probe;                // a text …
    std::vector<float> probe_vector;  // … and the first numbers of its vector
  };

  SentimentHead(Card card, std::vector<std::vector<float>> weights, std::vector<float> biases);
  // Errors (invalid_argument) say which key is wrong.
  static Result<SentimentHead> parse(std::string_view json);
  // The one compiled in for `language`; an error only when the program was built wrong.
  static Result<SentimentHead> builtin(Language language);

  // Whether `encoder` is the one this head was trained for. Blocks: encodes the probe.
  [[nodiscard]] bool fits(Model& encoder) const;
  // The most probable one; nothing when the vector's size is another one.
  [[nodiscard]] std::optional<Sentiment> judge(std::span<const float> vector) const;
  // The probability of each of kSentiments. Requires: the vector has size().
  [[nodiscard]] std::array<double, kSentiments.size()> chances(std::span<const float> vector) const;
  [[nodiscard]] const Card& card() const { return card_; }
  [[nodiscard]] std::size_t size() const { return weights_.front().size(); }

 private:
  Card card_;
  std::vector<std::vector<float>> weights_;  // one row per sentiment
  std::vector<float> biases_;
};

// The JSON that parse() reads. `about` (training, accuracy) stands first in it. Weights are
// rounded to whole steps of 1/127 of the greatest one: the file is a few KB, and accuracy the same.
std::string head_json(const SentimentHead::Card& card, const Json& about,
                      const std::vector<std::vector<float>>& weights,
                      const std::vector<float>& biases);

}  // namespace qiao
