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
  std::string head = {};                      // which of a bundle with several
};

// What the head `name` of a flow is called in a bundle that has several: `head`, or the same.
inline const std::string& head_in_bundle(const std::string& name, const std::string& head) {
  return head.empty() ? name : head;
}

// Puts what a head said into the annotations: labels of `intent` beside those of the examples, of
// `sentiment` as the sentiment, of any other under its name; entities of a tagger beside those
// found by pattern, where they do not overlap one of the same kind. Of a bundle with several heads
// the one that is meant speaks. A failure is in `missing`.
void apply_head(const HeadSpec& head, const Result<Judged>& judged, Annotations& annotations);

struct HeadPlan;

// The trained heads of one flow. Immutable, thread-safe.
class TrainedHeads {
 public:
  using OnAnnotated = std::function<void(Annotations)>;

  explicit TrainedHeads(std::vector<HeadSpec> heads);

  // Asks about `asked` all at once: each bundle once, for all heads that it answers. The function
  // that it returns is given, once, what else is known of the message; when all have answered,
  // `done` gets both together, on the thread of the last one.
  [[nodiscard]] OnAnnotated ask(const AskedText& asked, OnAnnotated done) const;

 private:
  // What a bundle is asked.
  struct Question {
    std::shared_ptr<const BundleSlot> bundle;
    bool live = true;
  };

  std::vector<Question> questions_;
  std::shared_ptr<const HeadPlan> plan_;
};

}  // namespace qiao
