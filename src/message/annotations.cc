// SPDX-License-Identifier: Apache-2.0
#include "message/annotations.h"

namespace qiao {
namespace {

Json scores_to_json(const std::vector<Scored>& scores) {
  Json list = Json::array();
  for (const Scored& scored : scores)
    list.push_back({{"label", scored.label}, {"score", scored.score}});
  return list;
}

}  // namespace

Json to_json(const Annotations& annotations) {
  Json json;
  if (annotations.language)
    json["language"] = *annotations.language == Language::kChinese ? "zh" : "en";
  json["intents"] = scores_to_json(annotations.intents);
  json["likes"] = scores_to_json(annotations.likes);
  if (!annotations.nearest_example.empty()) json["nearest_example"] = annotations.nearest_example;
  if (!annotations.sentiment.empty()) {
    json["sentiment"] = {{"label", annotations.sentiment}, {"score", annotations.sentiment_score}};
  }
  for (const auto& [name, scores] : annotations.heads) {
    json["heads"][name] = scores_to_json(scores);
  }
  if (!annotations.bundles.empty()) json["bundles"] = annotations.bundles;
  json["entities"] = Json::array();
  for (const Entity& entity : annotations.entities) {
    json["entities"].push_back({{"kind", entity.kind},
                                {"text", entity.text},
                                {"value", entity.value},
                                {"begin", entity.begin},
                                {"end", entity.end}});
  }
  if (!annotations.facts.empty()) json["facts"] = annotations.facts;
  if (!annotations.missing.empty()) json["missing"] = annotations.missing;
  json["ms"] = annotations.ms;
  return json;
}

}  // namespace qiao
