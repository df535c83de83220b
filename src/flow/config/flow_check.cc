// SPDX-License-Identifier: Apache-2.0
#include "flow/config/flow_check.h"

#include <algorithm>

#include "message/subject.h"
#include "understand/trained_heads.h"

namespace qiao::flow {
namespace {

std::vector<std::string> agent_names(const FlowConfig& config) {
  std::vector<std::string> names;
  for (const AgentConfig& agent : config.agents) names.push_back(agent.name);
  return names;
}

std::vector<std::string> tool_names(const FlowConfig& config) {
  std::vector<std::string> names;
  for (const ToolConfig& tool : config.tools) names.push_back(tool.name);
  return names;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const auto near = nearest(word, known);
  return near ? ", did you mean \"" + *near + "\"?" : "";
}

// The node under `keys`, or the nearest one above it: where a fault is shown.
const YamlNode& place(const YamlNode& root, std::initializer_list<std::string_view> keys) {
  const YamlNode* node = &root;
  for (const std::string_view key : keys) {
    const YamlNode* next = node->find(key);
    if (next == nullptr) break;
    node = next;
  }
  return *node;
}

void check_names(const FlowConfig& config, const YamlNode& root, Faults& faults) {
  if (config.name.empty()) faults.at(root, "the flow has no name: begin with `flow: NAME`");
  const bool plain = std::all_of(config.name.begin(), config.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!plain || config.name.size() > 64) {
    faults.at(place(root, {"flow"}),
              "a flow's name has at most 64 of the characters a-z, 0-9, - and _");
  }
  for (const auto& [key, subject] :
       {std::pair<std::string_view, const std::string&>{"input", config.input},
        {"output", config.output}}) {
    if (const Status valid = validate_subject(subject); !valid) {
      faults.at(place(root, {key}), valid.error().message);
    }
  }
  if (config.input == config.output) {
    faults.at(place(root, {"output"}), "input and output must differ, or the flow answers itself");
  }
}

void check_target(const FlowConfig& config, const YamlNode& node, const std::string& to,
                  Faults& faults) {
  if (to.empty()) return;
  if (to.starts_with("agent.")) {
    const std::string name = to.substr(6);
    if (config.agent(name) == nullptr) {
      faults.at(node,
                "no agent is called \"" + name + "\"" + suggestion(name, agent_names(config)));
    }
    return;
  }
  if (const Status valid = validate_subject(to); !valid) {
    faults.at(node, valid.error().message);
  } else if (to == config.input || to == config.output || to == config.replies) {
    faults.at(node, "\"" + to + "\" belongs to this flow: the message would come back to it");
  }
}

void check_routes(const FlowConfig& config, const YamlNode& root, Faults& faults) {
  const YamlNode& list = place(root, {"routes"});
  for (std::size_t i = 0; i < config.routes.routes.size() && i < list.items.size(); ++i) {
    const Route& route = config.routes.routes[i];
    const YamlNode& node = list.items[i];
    check_target(config, place(node, {"to"}), route.to, faults);
    const bool judged = config.head(kIntentHead) != nullptr;  // its labels are known at the start
    if (route.when && route.when->intent && !judged &&
        !config.intents.contains(*route.when->intent)) {
      std::vector<std::string> known;
      for (const auto& [label, examples] : config.intents) known.push_back(label);
      faults.at(place(node, {"when", "intent"}), "no intent is called \"" + *route.when->intent +
                                                     "\"" + suggestion(*route.when->intent, known));
    }
    if (route.when && route.when->sentiment && !config.sentiment &&
        config.head(kSentimentHead) == nullptr) {
      faults.at(place(node, {"when", "sentiment"}),
                "the route needs `sentiment: true` or a head `sentiment` under `understand`");
    }
  }
  if (config.agents.empty() && config.knowledge.entries.empty() && config.routes.routes.empty()) {
    faults.at(root,
              "the flow has neither routes nor agents nor knowledge: it could answer nothing");
  }
}

void check_end(const FlowConfig& config, const YamlNode& root, Faults& faults) {
  if (config.end.intent && !config.intents.contains(*config.end.intent) &&
      config.head(kIntentHead) == nullptr) {
    faults.at(place(root, {"end", "intent"}),
              "no intent is called \"" + *config.end.intent + "\" under `understand`");
  }
  check_target(config, place(root, {"fallback", "to"}), config.fallback.to, faults);
  check_target(config, place(root, {"knowledge", "to"}), config.knowledge.to, faults);
}

void check_tool(const FlowConfig& config, const ToolConfig& tool, const YamlNode& node,
                Faults& faults) {
  const YamlNode& url = place(node, {"http", "url"});
  for (const std::string& name : placeholders(tool.url)) {
    if (name == "port" && tool.start.empty()) {
      faults.at(url, "{port} needs a helper program: `start: [ … ]`");
    } else if (name != "port" && !has(tool.needs, name)) {
      faults.at(url, "{" + name + "} is not in the tool's `needs`");
    }
  }
  for (const std::string& kind : tool.needs) {
    if (!config.entities.empty() && !has(config.entities, kind)) {
      faults.at(place(node, {"needs"}), "the tool needs \"" + kind +
                                            "\", which `understand: entities` does not look for" +
                                            suggestion(kind, config.entities));
    }
  }
}

// Faults of the placeholders of an agent's template; true when it shows a tool's fields.
bool check_template(const FlowConfig& config, const AgentConfig& agent, const YamlNode& node,
                    Faults& faults) {
  bool shows_tool = false;
  for (const std::string* text : {&agent.reply.zh, &agent.reply.en}) {
    for (const std::string& name : placeholders(*text)) {
      const std::string first = name.substr(0, name.find('.'));
      if (name == "knowledge" || (first == "entity" && name.size() > 7)) continue;
      if (has(agent.tools, first) && name.size() > first.size() + 1) {
        shows_tool = true;
        continue;
      }
      faults.at(place(node, {"template"}),
                "{" + name + "} is none of {knowledge}, {entity.KIND} and {TOOL.FIELD} of a tool" +
                    " of this agent" + suggestion(first, tool_names(config)));
    }
  }
  return shows_tool;
}

void check_agent_kind(const AgentConfig& agent, const YamlNode& node, Faults& faults) {
  switch (agent.kind) {
    case AgentKind::kModel:
    case AgentKind::kTable:
      if (agent.prompt_file.empty()) faults.at(node, "the agent " + agent.name + " has no prompt");
      break;
    case AgentKind::kTemplate:
      if (agent.reply.empty()) faults.at(node, "the agent " + agent.name + " has no template");
      break;
    case AgentKind::kKnowledge:
      break;
    case AgentKind::kGame:
      if (agent.game != "idiom-chain" && agent.game != "twenty-questions") {
        faults.at(place(node, {"game"}),
                  "unknown game \"" + agent.game + "\"" +
                      suggestion(agent.game, {"idiom-chain", "twenty-questions"}) +
                      " (known: idiom-chain, twenty-questions)");
      }
      if (agent.data.empty()) faults.at(node, "the game " + agent.name + " has no `data` file");
      break;
  }
}

void check_agents(FlowConfig& config, const YamlNode& root, Faults& faults) {
  for (AgentConfig& agent : config.agents) {
    const YamlNode& node = place(root, {"agents", agent.name});
    check_agent_kind(agent, node, faults);
    for (const std::string& name : agent.tools) {
      if (config.tool(name) == nullptr) {
        faults.at(place(node, {"tools"}),
                  "no tool is called \"" + name + "\"" + suggestion(name, tool_names(config)));
      }
    }
    const bool shows_tool = check_template(config, agent, node, faults);
    if (shows_tool && agent.tool_choice == ToolChoice::kAuto) {
      agent.tool_choice = ToolChoice::kRequired;
    }
    if ((agent.knowledge || agent.kind == AgentKind::kKnowledge) &&
        config.knowledge.entries.empty()) {
      faults.at(node, "the agent " + agent.name + " wants knowledge and the flow has none");
    }
  }
}

}  // namespace

std::vector<std::string> placeholders(std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    names.emplace_back(text.substr(open + 1, close - open - 1));
  }
  return names;
}

void check_flow(FlowConfig& config, const YamlNode& root, Faults& faults) {
  if (root.kind != YamlNode::Kind::kMap) return;
  check_names(config, root, faults);
  check_agents(config, root, faults);
  check_routes(config, root, faults);
  check_end(config, root, faults);
  for (const ToolConfig& tool : config.tools) {
    check_tool(config, tool, place(root, {"tools", tool.name}), faults);
  }
  // What only the table as a whole shows, such as conditions that never hold.
  if (!faults.empty()) return;
  if (const Status valid = validate(config.routes); !valid) {
    faults.at(place(root, {"routes"}), valid.error().message);
  }
}

}  // namespace qiao::flow
