// SPDX-License-Identifier: Apache-2.0
#include "route/route.h"

namespace qiao {
namespace {

constexpr std::size_t kScoresMax = 10'000;

Error fault(const std::string& what) {
  return invalid_argument("decision: " + what);
}

Result<std::vector<Scored>> scores_from(const Json& json) {
  std::vector<Scored> scores;
  if (!json.is_array()) return fault("scores is a list");
  if (json.size() > kScoresMax) return fault("more than " + std::to_string(kScoresMax) + " scores");
  for (const Json& item : json) {
    const auto label = json_string(item, "label");
    const auto score = json_number(item, "score");
    if (!label || !score) return fault("each of scores has a label and a score");
    scores.push_back({*label, *score});
  }
  return scores;
}

}  // namespace

Json to_json(const Decision& decision) {
  Json scores = Json::array();
  for (const Scored& scored : decision.scores)
    scores.push_back({{"label", scored.label}, {"score", scored.score}});
  return {{"route", decision.route},     {"to", decision.to},
          {"tier", decision.tier},       {"reason", decision.reason},
          {"scores", std::move(scores)}, {"threshold", decision.threshold},
          {"margin", decision.margin},   {"out_of_scope", decision.out_of_scope}};
}

Result<Decision> decision_from_json(const Json& json) {
  if (!json.is_object()) return fault("not an object");
  Decision decision;
  for (auto [key, field] :
       {std::pair{"route", &decision.route}, std::pair{"to", &decision.to},
        std::pair{"tier", &decision.tier}, std::pair{"reason", &decision.reason}}) {
    if (!json.contains(key)) continue;
    auto text = json_string(json, key);
    if (!text) return fault(std::string(key) + " is a text");
    *field = *std::move(text);
  }
  for (auto [key, field] :
       {std::pair{"threshold", &decision.threshold}, std::pair{"margin", &decision.margin}}) {
    if (!json.contains(key)) continue;
    const auto number = json_number(json, key);
    if (!number) return fault(std::string(key) + " is a number");
    *field = *number;
  }
  if (json.contains("scores")) {
    QIAO_ASSIGN(decision.scores, scores_from(json["scores"]));
  }
  if (json.contains("out_of_scope")) {
    const auto out = json_bool(json, "out_of_scope");
    if (!out) return fault("out_of_scope is true or false");
    decision.out_of_scope = *out;
  }
  return decision;
}

}  // namespace qiao
