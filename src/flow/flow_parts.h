// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/yaml.h"
#include "flow/faults.h"
#include "flow/flow_config.h"

namespace qiao::flow {

// Readers of the parts of a flow.yaml; each adds what is wrong to `faults` and gives what it
// could read. Used by load_flow only.

struct PartReader {
  std::string directory;  // of the flow
  Faults& faults;

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

  // `value` when it is in [low, high], else a fault at `node` and `low`.
  double in_range(const YamlNode& node, std::string_view key, double value, double low,
                  double high);
  // The path of a file of the flow; a fault when it leaves the folder.
  std::string inside(const YamlNode& node, const std::string& relative);

 private:
  Condition condition(const YamlNode& node);
  Route route(const YamlNode& node, FlowConfig& config);
  ToolConfig tool(const std::string& name, const YamlNode& node);
  void http(const YamlNode& node, ToolConfig& tool);
  AgentConfig agent(const std::string& name, const YamlNode& node);
  void agent_prompt(const YamlNode& node, YamlReader& reader, AgentConfig& agent);
  std::vector<FilterConfig> filters(const YamlNode& node);
  std::vector<std::string> glob(const YamlNode& node, const std::string& pattern);
};

}  // namespace qiao::flow
