// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/yaml.h"
#include "flow/config/faults.h"
#include "flow/config/flow_config.h"

namespace qiao::flow {

class CheckedReader;

// Readers of the parts of a flow.yaml; each adds what is wrong to `faults` and gives what it
// could read. Used by load_flow only.

struct PartReader {
  std::string directory;  // of the flow
  Faults& faults;

  TurnConfig::Rule turn_rule(const YamlNode& node, TurnConfig::Rule rule);
  TurnConfig turn(const YamlNode& node);
  EndConfig end(const YamlNode& node);
  void understand(const YamlNode& node, FlowConfig& config);
  void routes(const YamlNode& node, FlowConfig& config);
  void thresholds(const YamlNode& node, RouteTable& table);
  KnowledgeConfig knowledge(const YamlNode& node);
  std::vector<ToolConfig> tools(const YamlNode& node);
  std::vector<AgentConfig> agents(const YamlNode& node);
  FallbackConfig fallback(const YamlNode& node);
  Budget budget(const YamlNode& node);
  PriceConfig price(const YamlNode& node);

  // The path of a file of the flow; a fault when it leaves the folder.
  std::string inside(const YamlNode& node, const std::string& relative);

 private:
  HeadConfig head(const YamlNode& node);
  void heads(const YamlNode& node, FlowConfig& config);
  Condition condition(const YamlNode& node, const FlowConfig& config);
  double least_score(const YamlNode& node, CheckedReader& reader);
  Route route(const YamlNode& node, FlowConfig& config);
  ApproveConfig approve(const YamlNode& node);
  ToolConfig tool(const std::string& name, const YamlNode& node);
  void http(const YamlNode& node, ToolConfig& tool);
  AgentConfig agent(const std::string& name, const YamlNode& node);
  std::string prompt(const YamlNode& node, const std::string& file);
  void agent_limits(CheckedReader& reader, AgentConfig& agent);
  std::vector<FilterConfig> filters(const YamlNode& node);
  std::optional<ClearConfig> read_clear(const YamlNode& node);
  void add_knowledge(const YamlNode& files, const std::string& path, KnowledgeConfig& knowledge);
  std::vector<std::string> glob(const YamlNode& node, const std::string& pattern);
};

}  // namespace qiao::flow
