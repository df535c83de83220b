// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "message/annotations.h"
#include "understand/bundle_slot.h"

namespace qiao {

inline constexpr std::string_view kIntentHead = "intent";
inline constexpr std::string_view kSentimentHead = "sentiment";

// A trained head of a flow: what it is asked for, and whom.
struct HeadSpec {
  std::string name;  // "intent", "sentiment", or what the flow calls it
  std::shared_ptr<const BundleSlot> bundle;
  std::map<std::string, std::string> labels;  // the bundle's label → the flow's, where they differ
  bool live = true;                           // false: a replay's, whose messages no shadow hears
};

// Puts what a head said into the annotations: labels of `intent` beside those of the examples, of
// `sentiment` as the sentiment, of any other under its name; entities of a tagger beside those
// found by pattern, where they do not overlap one of the same kind. A failure is in `missing`.
void apply_head(const HeadSpec& head, const Result<Judged>& judged, Annotations& annotations);

// The trained heads of one flow. Immutable, thread-safe.
class TrainedHeads {
 public:
  using OnAnnotated = std::function<void(Annotations)>;

  explicit TrainedHeads(std::vector<HeadSpec> heads);

  // Asks all heads about `asked` at once. The function that it returns is given, once, what else is
  // known of the message; when all have answered, `done` gets both together, on the thread of the
  // last one.
  [[nodiscard]] OnAnnotated ask(const AskedText& asked, OnAnnotated done) const;

 private:
  const std::vector<HeadSpec> heads_;
  // The same without their bundles, for what is under way: a bundle must not end on the thread of
  // its own encoder.
  std::shared_ptr<const std::vector<HeadSpec>> names_;
};

}  // namespace qiao
