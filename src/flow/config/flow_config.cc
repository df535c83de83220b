// SPDX-License-Identifier: Apache-2.0
#include "flow/config/flow_config.h"

#include <algorithm>
#include <filesystem>

#include "flow/config/flow_check.h"
#include "flow/config/flow_parts.h"

namespace qiao {
namespace {

// Reads the top level; every part adds its faults.
FlowConfig read_flow(const YamlNode& root, const std::string& directory, Faults& faults) {
  FlowConfig config;
  config.directory = directory;
  if (root.kind != YamlNode::Kind::kMap) {
    faults.at(root, "a flow is a map that begins with `flow: NAME`");
    return config;
  }
  flow::PartReader part{directory, faults};
  YamlReader reader(root);
  config.name = reader.get_string("flow").value_or("");
  config.title = read_localized(reader.get_node("title"), faults);
  config.input = reader.get_string("input").value_or(config.name + ".in");
  config.output = reader.get_string("output").value_or(config.name + ".out");
  config.replies = config.name + ".replies";
  config.greeting = read_localized(reader.get_node("greeting"), faults);
  if (const auto* node = reader.get_node("turn")) config.turn = part.turn(*node);
  if (const auto* node = reader.get_node("end")) config.end = part.end(*node);
  if (const auto* node = reader.get_node("understand")) part.understand(*node, config);
  if (const auto* node = reader.get_node("routes")) part.routes(*node, config);
  if (const auto* node = reader.get_node("thresholds")) part.thresholds(*node, config.routes);
  if (const auto* node = reader.get_node("knowledge")) config.knowledge = part.knowledge(*node);
  if (const auto* node = reader.get_node("tools")) config.tools = part.tools(*node);
  if (const auto* node = reader.get_node("agents")) config.agents = part.agents(*node);
  config.label = read_localized(reader.get_node("label"), faults);
  if (const auto* node = reader.get_node("fallback")) config.fallback = part.fallback(*node);
  if (const auto* node = reader.get_node("budget")) config.budget = part.budget(*node);
  faults.take(reader.finish());
  return config;
}

template <class T>
const T* find_named(const std::vector<T>& items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const T& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

Json to_json(const Localized& text) {
  return Json{{"zh", text.zh}, {"en", text.en}};
}

Json to_json(const AgentConfig& agent) {
  Json json{{"name", agent.name}, {"kind", name_of(agent.kind)}};
  const bool models = agent.kind == AgentKind::kModel || agent.kind == AgentKind::kTable;
  if (models) json["model"] = agent.model;
  if (models) json["prompt"] = to_json(agent.prompt_file);
  if (!agent.tools.empty()) json["tools"] = agent.tools;
  if (!agent.game.empty()) json["game"] = agent.game;
  if (models) {
    json["filter"] = Json::array();
    for (const FilterConfig& filter : agent.filters) json["filter"].push_back(filter.name);
  }
  return json;
}

Json to_json(const Route& route) {
  const char* tier = route.when ? "rule" : route.otherwise ? "otherwise" : "semantic";
  Json json{{"name", route.name}, {"to", route.to}, {"tier", tier}};
  if (!route.like.empty()) json["like"] = route.like;
  return json;
}

}  // namespace

std::string_view name_of(AgentKind kind) {
  switch (kind) {
    case AgentKind::kModel:
      return "model";
    case AgentKind::kTemplate:
      return "template";
    case AgentKind::kKnowledge:
      return "knowledge";
    case AgentKind::kGame:
      return "game";
    case AgentKind::kTable:
      return "table";
  }
  return "";
}

bool AgentConfig::has_filter(std::string_view filter) const {
  return find_named(filters, filter) != nullptr;
}

const AgentConfig* FlowConfig::agent(std::string_view agent_name) const {
  return find_named(agents, agent_name);
}

const ToolConfig* FlowConfig::tool(std::string_view tool_name) const {
  return find_named(tools, tool_name);
}

const HeadConfig* FlowConfig::head(std::string_view head_name) const {
  return find_named(heads, head_name);
}

Result<FlowConfig> load_flow(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "flow.yaml").string();
  QIAO_ASSIGN(const YamlNode root, load_yaml(path));
  Faults faults;
  FlowConfig config = read_flow(root, directory, faults);
  flow::check_flow(config, root, faults);
  QIAO_TRY(faults.finish());
  return config;
}

Json to_json(const FlowConfig& config) {
  Json json{{"name", config.name},
            {"title", to_json(config.title)},
            {"input", config.input},
            {"output", config.output},
            {"greeting", to_json(config.greeting)},
            {"routes", Json::array()},
            {"agents", Json::array()},
            {"tools", Json::array()}};
  for (const Route& route : config.routes.routes) json["routes"].push_back(to_json(route));
  for (const AgentConfig& agent : config.agents) json["agents"].push_back(to_json(agent));
  for (const ToolConfig& tool : config.tools) {
    json["tools"].push_back({{"name", tool.name}, {"describe", to_json(tool.describe)}});
  }
  for (const HeadConfig& head : config.heads) {
    json["heads"].push_back({{"name", head.name}, {"bundle", head.bundle}});
    if (!head.head.empty()) json["heads"].back()["head"] = head.head;
  }
  json["thresholds"] = {{"semantic", config.routes.threshold}, {"margin", config.routes.margin}};
  json["knowledge"] = {{"entries", config.knowledge.entries.size()},
                       {"certain", config.knowledge.certain},
                       {"related", config.knowledge.related}};
  if (const auto& clear = config.knowledge.clear) {
    json["knowledge"]["clear"] = {{"score", clear->score}, {"ahead", clear->ahead}};
  }
  json["turn"] = {{"busy", name_of(config.turn.busy)},
                  {"settle_ms", config.turn.settle_ms},
                  {"max_wait_ms", config.turn.max_wait_ms}};
  return json;
}

}  // namespace qiao
