// SPDX-License-Identifier: Apache-2.0
// The routes of a flow.yaml.
#include <algorithm>

#include "flow/config/checked_reader.h"
#include "flow/config/flow_parts.h"
#include "route/condition.h"
#include "understand/trained_heads.h"

namespace qiao::flow {

// 0.8, or ">= 0.8" as facts are compared.
double PartReader::least_score(const YamlNode& node, CheckedReader& reader) {
  const YamlNode* written = node.find("score");
  if (written == nullptr || !written->scalar.starts_with(">=")) {
    return reader.number("score", 0, 0, 1);
  }
  static_cast<void>(reader.get_node("score"));
  const auto least = impl::as_number(std::string_view(written->scalar).substr(2));
  if (!least || *least < 0 || *least > 1) {
    faults.at(*written, "score is a number from 0 to 1, or \">= 0.8\"");
  }
  return least.value_or(0);
}

Condition PartReader::condition(const YamlNode& node, const FlowConfig& config) {
  Condition condition;
  if (node.kind != YamlNode::Kind::kMap) {
    faults.at(node, "`when` is a map: { intent: …, entity: …, words: [ … ] }");
    return condition;
  }
  CheckedReader reader(node, faults);
  condition.intent = reader.get_string("intent");
  condition.sentiment = reader.get_string("sentiment");
  condition.entity = reader.get_string("entity");
  condition.out_of_scope = reader.get_bool("out_of_scope");
  condition.words = reader.texts("words");
  condition.score_min = least_score(node, reader);
  for (const HeadConfig& head : config.heads) {
    if (head.name == kIntentHead || head.name == kSentimentHead) continue;
    if (auto label = reader.get_string(head.name)) condition.heads[head.name] = std::move(*label);
  }
  if (const auto language = reader.get_string("language")) {
    if (*language == "zh") condition.language = Language::kChinese;
    if (*language == "en") condition.language = Language::kEnglish;
    if (!condition.language) faults.at(*node.find("language"), "language is zh or en");
  }
  if (condition.sentiment && *condition.sentiment != "negative" &&
      *condition.sentiment != "neutral" && *condition.sentiment != "positive") {
    faults.at(*node.find("sentiment"), "sentiment is negative, neutral or positive");
  }
  if (const YamlNode* facts = reader.get_node("facts")) {
    if (facts->kind != YamlNode::Kind::kMap) {
      faults.at(*facts, "facts is a map: { repeated: \">= 2\" }");
    }
    for (const auto& [name, value] : facts->entries) {
      if (value.kind != YamlNode::Kind::kScalar) {
        faults.at(value, "the fact " + name + " is a value or a comparison such as \">= 2\"");
      }
      condition.facts[name] = value.scalar;
    }
  }
  reader.close();
  return condition;
}

Route PartReader::route(const YamlNode& node, FlowConfig& config) {
  Route route;
  if (node.kind != YamlNode::Kind::kMap) {
    faults.at(node, "a route is a map: { name: …, when: …, to: … }");
    return route;
  }
  CheckedReader reader(node, faults);
  route.name = reader.text("name");
  route.to = reader.text("to");
  if (const YamlNode* when = reader.get_node("when")) route.when = condition(*when, config);
  route.like = read_texts(reader.get_node("like"), kFlowExamplesMax, faults);
  route.threshold = reader.number("threshold", 0, 0, 1);
  route.otherwise = reader.get_bool("otherwise").value_or(false);
  const bool holds = reader.get_bool("hold").value_or(true);
  reader.close();

  if (route.name.empty()) faults.at(node, "the route has no name");
  if (route.to.empty()) faults.at(node, "the route " + route.name + " has no target `to`");
  const bool chosen = route.when || !route.like.empty();
  if (chosen == route.otherwise) {
    faults.at(node, "the route " + route.name +
                        " needs `when`, `like` or both of them, or `otherwise: true` alone");
  }
  const auto& routes = config.routes.routes;
  if (std::any_of(routes.begin(), routes.end(),
                  [&](const Route& other) { return other.name == route.name; })) {
    faults.at(node, "two routes are called " + route.name);
  }
  if (!holds) config.holds[route.name] = false;
  return route;
}

void PartReader::routes(const YamlNode& node, FlowConfig& config) {
  if (node.kind != YamlNode::Kind::kList) {
    faults.at(node, "routes is a list: - { name: …, when: …, to: agent.… }");
    return;
  }
  for (const YamlNode& item : node.items) {
    if (config.routes.routes.size() == kFlowRoutesMax) {
      faults.at(item, "more than " + std::to_string(kFlowRoutesMax) + " routes");
      return;
    }
    config.routes.routes.push_back(route(item, config));
  }
}

}  // namespace qiao::flow
