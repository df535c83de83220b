// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "model/bundle/text_head.h"

namespace qiao {

// What a version of a bundle said of one text, and after how long.
struct TimedAnswer {
  HeadAnswer answer;
  double ms = 0;
};

// How far two versions of a bundle, the one that is served and a candidate, say the same of the
// same messages. Holds labels and message ids, no text.
//
// A value; one thread at a time. Bounds: kPairsMax pairs of labels are told apart, times are those
// of the last kTimesMax messages.
class Comparison {
 public:
  static constexpr std::size_t kPairsMax = 1'000;
  static constexpr std::size_t kPairsTold = 20;
  static constexpr std::size_t kTimesMax = 1'000;

  // True when both said the same: the same best label (of each head), and the same entities in the
  // same places.
  bool add(const std::string& message_id, const TimedAnswer& current, const TimedAnswer& candidate);

  // compared, agreed, agreement; confidence, p50_ms and p99_ms of `current` and of `candidate`;
  // `disagreements`, the most frequent first, and how many more there were. What nothing was
  // measured for is null.
  [[nodiscard]] Json figures() const;

 private:
  struct Side {
    double confidence = 0;  // summed
    std::uint64_t labelled = 0;
    std::vector<double> times_ms;  // a ring
  };
  // What the current version says, and the candidate in its place; "": nothing. Of several heads
  // "head=label".
  using LabelPair = std::pair<std::string, std::string>;
  struct Disagreement {
    std::uint64_t count = 0;
    std::string message_id;  // the newest
  };

  static std::vector<LabelPair> differences(const HeadAnswer& current, const HeadAnswer& candidate);
  static Json figures_of(const Side& side);
  void add_to(Side& side, const TimedAnswer& said) const;
  [[nodiscard]] Json told_pairs() const;

  std::uint64_t compared_ = 0;
  std::uint64_t agreed_ = 0;
  std::uint64_t differences_ = 0;
  Side current_;
  Side candidate_;
  std::map<LabelPair, Disagreement> disagreements_;
};

}  // namespace qiao
