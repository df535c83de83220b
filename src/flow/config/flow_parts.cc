// SPDX-License-Identifier: Apache-2.0
#include "flow/config/flow_parts.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "flow/config/checked_reader.h"

namespace qiao::flow {
namespace {

// The message is leased while its burst gathers: well below a lease.
constexpr std::int64_t kTurnWaitMsMax = 10'000;
constexpr std::int64_t kIdleMsMax = std::int64_t{30} * 24 * 3'600'000;
constexpr std::int64_t kWallMsMax = 3'600'000;
// Keys of `when` that are no head.
constexpr std::string_view kConditionKeys[] = {"entity", "out_of_scope", "words",
                                               "score",  "language",     "facts"};

}  // namespace

std::string PartReader::inside(const YamlNode& node, const std::string& relative) {
  const std::filesystem::path path(relative);
  const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
  if (relative.empty() || path.is_absolute() || climbs) {
    faults.at(node, "\"" + relative + "\" must be a file inside the flow's folder");
    return {};
  }
  return (std::filesystem::path(directory) / path).string();
}

TurnConfig::Rule PartReader::turn_rule(const YamlNode& node, TurnConfig::Rule rule) {
  if (!is_map(node, "complete and cut_off", faults)) return rule;
  CheckedReader reader(node, faults);
  rule.score = reader.number("score", rule.score, 0, 1);
  rule.settle_ms = reader.duration_ms("settle", rule.settle_ms, kTurnWaitMsMax);
  reader.close();
  return rule;
}

TurnConfig PartReader::turn(const YamlNode& node) {
  TurnConfig turn;
  if (!is_map(node, "turn", faults)) return turn;
  CheckedReader reader(node, faults);
  turn.settle_ms = reader.duration_ms("settle", turn.settle_ms, kTurnWaitMsMax);
  turn.max_wait_ms = reader.duration_ms("max_wait", turn.max_wait_ms, kTurnWaitMsMax);
  if (const YamlNode* rule = reader.get_node("complete"))
    turn.complete = turn_rule(*rule, {0.8, turn.settle_ms / 4});
  if (const YamlNode* rule = reader.get_node("cut_off"))
    turn.cut_off = turn_rule(*rule, {0.3, turn.settle_ms * 3});
  if (turn.settle_ms > 0) turn.busy = Busy::kMerge;
  if (reader.get_node("busy") != nullptr) {
    turn.busy = static_cast<Busy>(
        reader.choice("busy", {"enqueue", "reject", "merge", "steer", "interrupt"}));
  }
  const bool joins = turn.busy != Busy::kEnqueue && turn.busy != Busy::kReject;
  if (turn.settle_ms > 0 && !joins) {
    faults.at(reader.place("settle"),
              "settle waits for messages that join the turn: leave it out, "
              "or write busy: merge, steer or interrupt");
  }
  reader.close();
  return turn;
}

EndConfig PartReader::end(const YamlNode& node) {
  EndConfig end;
  if (!is_map(node, "end", faults)) return end;
  CheckedReader reader(node, faults);
  end.intent = reader.get_string("intent");
  end.score = reader.number("score", 0, 0, 1);
  end.idle_ms = reader.duration_ms("idle", 0, kIdleMsMax);
  end.turns = static_cast<std::int32_t>(reader.integer("turns", 0, 1, 100'000));
  end.text = reader.localized("text");
  reader.close();
  return end;
}

void PartReader::understand(const YamlNode& node, FlowConfig& config) {
  if (!is_map(node, "understand", faults)) return;
  CheckedReader reader(node, faults);
  config.sentiment = reader.get_bool("sentiment").value_or(false);
  config.entities = reader.texts("entities");
  if (const YamlNode* list = reader.get_node("heads")) heads(*list, config);
  const YamlNode* intents = reader.get_node("intents");
  if (intents != nullptr && is_map(*intents, "intents", faults)) {
    for (const auto& [label, examples] : intents->entries) {
      config.intents[label] = read_texts(&examples, kFlowExamplesMax, faults);
      if (config.intents[label].empty()) {
        faults.at(examples, "the intent " + label + " has no examples");
      }
    }
  }
  reader.close();
}

HeadConfig PartReader::head(const YamlNode& node) {
  HeadConfig head;
  if (!is_map(node, "a head", faults)) return head;
  CheckedReader reader(node, faults);
  head.name = reader.text("name");
  head.bundle = reader.text("bundle");
  head.head = reader.text("head");
  const YamlNode* labels = reader.get_node("labels");
  if (labels != nullptr && is_map(*labels, "labels", faults)) {
    for (const auto& [label, own] : labels->entries) head.labels[label] = own.scalar;
  }
  reader.close();
  if (head.name.empty() || head.bundle.empty()) {
    faults.at(node, "a head is { name: intent, bundle: NAME }: what is asked, and which bundle");
  }
  if (std::find(std::begin(kConditionKeys), std::end(kConditionKeys), head.name) !=
      std::end(kConditionKeys)) {
    faults.at(node, "a head must not be called \"" + head.name + "\": `when` has that key");
  }
  return head;
}

void PartReader::heads(const YamlNode& node, FlowConfig& config) {
  if (node.kind != YamlNode::Kind::kList || node.items.size() > kFlowHeadsMax) {
    return faults.at(node, "heads is a list of at most " + std::to_string(kFlowHeadsMax) +
                               ": - { name: intent, bundle: NAME }");
  }
  for (const YamlNode& item : node.items) {
    HeadConfig one = head(item);
    if (config.head(one.name) != nullptr) faults.at(item, "two heads are called " + one.name);
    config.heads.push_back(std::move(one));
  }
}

void PartReader::thresholds(const YamlNode& node, RouteTable& table) {
  if (!is_map(node, "thresholds", faults)) return;
  CheckedReader reader(node, faults);
  table.threshold = reader.number("semantic", table.threshold, 0, 1);
  table.margin = reader.number("margin", table.margin, 0, 1);
  reader.close();
}

FallbackConfig PartReader::fallback(const YamlNode& node) {
  FallbackConfig fallback;
  if (!is_map(node, "fallback", faults)) return fallback;
  CheckedReader reader(node, faults);
  fallback.to = reader.text("to");
  fallback.text = reader.localized("text");
  reader.close();
  return fallback;
}

Budget PartReader::budget(const YamlNode& node) {
  Budget budget = FlowConfig{}.budget;
  if (!is_map(node, "budget", faults)) return budget;
  CheckedReader reader(node, faults);
  budget.hops = static_cast<std::int32_t>(reader.integer("hops", budget.hops, 1, 1'000));
  budget.tokens = reader.integer("tokens", budget.tokens, 1, 10'000'000);
  budget.wall_ms = reader.duration_ms("wall", budget.wall_ms, kWallMsMax);
  budget.calls = static_cast<std::int32_t>(reader.integer("calls", budget.calls, 1, 1'000));
  budget.messages =
      static_cast<std::int32_t>(reader.integer("messages", budget.messages, 1, 1'000'000));
  constexpr double kCostMax = 1e6;
  const double cost = reader.number("cost", -1, 0, kCostMax);
  if (cost >= 0) budget.cost_micro = std::llround(cost * 1e6);
  reader.close();
  return budget;
}

PriceConfig PartReader::price(const YamlNode& node) {
  constexpr double kPriceMax = 1e6;
  PriceConfig price;
  if (!is_map(node, "price", faults)) return price;
  CheckedReader reader(node, faults);
  price.prompt = reader.number("prompt", 0, 0, kPriceMax);
  price.answer = reader.number("answer", 0, 0, kPriceMax);
  reader.close();
  return price;
}

}  // namespace qiao::flow
