// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/model.h"
#include "understand/train_layer.h"

namespace qiao {

// What the file of a head holds beside its layer.
struct HeadCard {
  std::string encoder;              // name in the catalogue
  std::string probe;                // a text …
  std::vector<float> probe_vector;  // … and the first numbers of its vector
};

// One linear layer and a softmax on the vector of a text, and on numbers beside it, trained for
// one encoder. The file holds the vector that this encoder gives a probe text, so that a head is
// never put on another encoder of the same size.
//
// A value; immutable and thread-safe. Bound: kSizeMax numbers.
class LinearHead {
 public:
  static constexpr std::size_t kSizeMax = 4096;

  // Requires: one row of weights and one bias for each class.
  LinearHead(HeadCard card, LinearLayer layer);
  // `classes` in the order of chances(). Errors (invalid_argument) say which key is wrong.
  static Result<LinearHead> parse(std::string_view json, std::span<const std::string_view> classes);

  // Whether `encoder` is the one this head was trained for; `beside`: numbers that do not come from
  // it. Blocks: encodes the probe.
  [[nodiscard]] bool fits(Model& encoder, std::size_t beside = 0) const;
  // The probability of each class. Requires: `numbers` has size().
  [[nodiscard]] std::vector<double> chances(std::span<const float> numbers) const;
  [[nodiscard]] const HeadCard& card() const { return card_; }
  [[nodiscard]] std::size_t size() const { return layer_.weights.front().size(); }

 private:
  HeadCard card_;
  LinearLayer layer_;
};

// The JSON that parse() reads. `about` (training, accuracy) stands first in it. Weights are
// rounded to whole steps of 1/127 of the greatest one: the file is a few KB, and accuracy the same.
std::string head_json(const HeadCard& card, const Json& about,
                      std::span<const std::string_view> classes, const LinearLayer& layer);

}  // namespace qiao
