// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/language.h"

namespace qiao {

// A label of trained heads for what belongs to none of the others.
inline constexpr std::string_view kOutOfScopeLabel = "oos";

struct Scored {
  std::string label;
  double score = 0;
};

struct Entity {
  std::string kind;       // "order_number", "phone", "amount", "date", …
  std::string text;       // as written
  std::string value;      // normalised
  std::size_t begin = 0;  // byte range in the text
  std::size_t end = 0;
};

// What is known about one message after understanding. A plain value; route() reads nothing else.
struct Annotations {
  std::optional<Language> language;
  std::vector<Scored> intents;  // best first: labels of the flow's examples with similarity in
                                // [0,1], and of a trained head with their probability
  std::vector<Scored>
      likes;  // best first: similarity to each semantic route's examples, by route name
  std::string nearest_example;  // the example that won, for the explanation
  std::string sentiment;        // "negative", "neutral", "positive" or "" when there is no head
  double sentiment_score = 0;   // probability of `sentiment`
  std::map<std::string, std::vector<Scored>> heads;  // of other trained heads, best first
  std::map<std::string, std::string> bundles;  // trained head → "bundle@version" that judged
  std::vector<Entity> entities;
  std::vector<float> embedding;      // empty without an encoder
  std::vector<std::string> missing;  // what could not be judged: "encoder-zh", "sentiment", …
  std::map<std::string, std::string> facts;  // set by the flow: "repeated" = "2", "person" = "1", …
  double ms = 0;
};

Json to_json(const Annotations& annotations);  // without the embedding

}  // namespace qiao
