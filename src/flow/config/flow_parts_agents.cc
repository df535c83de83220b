// SPDX-License-Identifier: Apache-2.0
// The agents and tools of a flow.yaml.
#include <algorithm>

#include "base/disk.h"
#include "flow/config/checked_reader.h"
#include "flow/config/flow_parts.h"
#include "flow/turn/conversation.h"
#include "message/message.h"
#include "message/subject.h"

namespace qiao::flow {
namespace {

constexpr std::int64_t kToolTimeoutMsMax = 60'000;
constexpr const char* kHumanDesk = "human.desk";
constexpr std::int64_t kApproveMsMax = 29LL * 24 * 3'600'000;  // below the broker's longest park
constexpr std::size_t kHistoryMax = Conversation::kMessagesMax;
constexpr std::size_t kCommandWordsMax = 32;
constexpr int kRetriesMax = 5;

}  // namespace

void PartReader::http(const YamlNode& node, ToolConfig& tool) {
  static const std::vector<std::string> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};
  if (!is_map(node, "http", faults)) return;
  CheckedReader reader(node, faults);
  tool.method = kMethods[reader.choice("method", kMethods)];
  tool.url = reader.text("url");
  const YamlNode* headers = reader.get_node("headers");
  if (headers != nullptr && is_map(*headers, "headers", faults)) {
    for (const auto& [name, value] : headers->entries) {
      tool.headers.emplace_back(name, value.scalar);
    }
  }
  reader.close();
  if (!tool.url.starts_with("http://") && !tool.url.starts_with("https://")) {
    faults.at(node, "http needs a `url` that begins with http:// or https://");
  }
}

// `approve: human`, or a map.
ApproveConfig PartReader::approve(const YamlNode& node) {
  ApproveConfig approve;
  if (node.kind == YamlNode::Kind::kScalar) {
    if (node.scalar != "human") faults.at(node, "write `approve: human`, or `approve: { to: … }`");
    approve.to = kHumanDesk;
    return approve;
  }
  if (!is_map(node, "approve", faults)) return approve;
  CheckedReader reader(node, faults);
  approve.to = reader.get_string("to").value_or(kHumanDesk);
  approve.wait = reader.localized("wait");
  approve.denied = reader.localized("denied");
  const YamlNode* escalate = reader.get_node("escalate");
  if (escalate != nullptr && is_map(*escalate, "escalate", faults)) {
    CheckedReader inner(*escalate, faults);
    approve.after_ms = inner.duration_ms("after", approve.after_ms, kApproveMsMax);
    approve.escalate_to = inner.get_string("to").value_or(approve.escalate_to);
    inner.close();
  }
  reader.close();
  if (approve.after_ms < 1) faults.at(node, "escalate.after must be longer than 0");
  const bool decides = approve.escalate_to == "approve" || approve.escalate_to == "deny";
  if (!validate_subject(approve.to)) faults.at(node, "approve.to is no subject");
  if (!decides && !validate_subject(approve.escalate_to))
    faults.at(node, "escalate.to is a subject, approve or deny");
  return approve;
}

ToolConfig PartReader::tool(const std::string& name, const YamlNode& node) {
  ToolConfig tool;
  tool.name = name;
  if (!is_map(node, "the tool " + name, faults)) return tool;
  CheckedReader reader(node, faults);
  tool.describe = reader.localized("describe");
  if (const YamlNode* http_node = reader.get_node("http")) {
    http(*http_node, tool);
  } else {
    faults.at(node, "the tool " + name + " needs `http: { method: GET, url: … }`");
  }
  tool.start = read_texts(reader.get_node("start"), kCommandWordsMax, faults);
  tool.needs = reader.texts("needs");
  tool.ask = reader.localized("ask");
  tool.timeout_ms = reader.duration_ms("timeout", tool.timeout_ms, kToolTimeoutMsMax);
  if (const YamlNode* consent = reader.get_node("approve")) tool.approve = approve(*consent);
  reader.close();
  return tool;
}

std::vector<ToolConfig> PartReader::tools(const YamlNode& node) {
  std::vector<ToolConfig> tools;
  if (!is_map(node, "tools", faults)) return tools;
  for (const auto& [name, value] : node.entries) {
    if (tools.size() == kFlowToolsMax) {
      faults.at(value, "more than " + std::to_string(kFlowToolsMax) + " tools");
      break;
    }
    tools.push_back(tool(name, value));
  }
  return tools;
}

std::vector<FilterConfig> PartReader::filters(const YamlNode& node) {
  static const std::vector<std::string> kFilters{"language",   "relevant", "no-pii",   "length",
                                                 "repetition", "numbers",  "grounded", "format"};
  std::vector<FilterConfig> filters;
  const bool list = node.kind == YamlNode::Kind::kList;
  const std::vector<YamlNode> single{node};
  for (const YamlNode& item : list ? node.items : single) {
    FilterConfig filter;
    if (item.kind == YamlNode::Kind::kMap && item.entries.size() == 1) {
      filter = {item.entries[0].key, item.entries[0].value.scalar};
    } else if (item.kind == YamlNode::Kind::kScalar) {
      filter.name = item.scalar;
    } else {
      faults.at(item, "a filter is a name, or { format: json }");
      continue;
    }
    if (!is_known(item, "filter", filter.name, kFilters, faults)) continue;
    if (filter.name == "format" && filter.argument != "json") {
      faults.at(item, "the filter format knows one form: { format: json }");
    }
    if (filter.name != "format" && !filter.argument.empty()) {
      faults.at(item, "the filter " + filter.name + " takes no value");
    }
    filters.push_back(std::move(filter));
  }
  return filters;
}

std::string PartReader::prompt(const YamlNode& node, const std::string& file) {
  const std::string path = inside(node, file);
  if (path.empty()) return {};
  auto text = read_file(path, kFlowPromptBytesMax);
  if (!text) {
    faults.at(node, "cannot read the prompt: " + text.error().message);
    return {};
  }
  if (!valid_utf8(*text)) {
    faults.at(node, "the prompt " + file + " is not UTF-8 text");
    return {};
  }
  text->erase(text->find_last_not_of(" \r\n\t") + 1);
  return std::move(*text);
}

void PartReader::agent_limits(CheckedReader& reader, AgentConfig& agent) {
  agent.history = reader.count("history", agent.history, 0, kHistoryMax);
  agent.tokens = static_cast<std::int32_t>(reader.integer("tokens", agent.tokens, 1, 32'768));
  if (const YamlNode* price = reader.get_node("price")) agent.price = this->price(*price);
  agent.context_tokens = static_cast<std::int32_t>(
      reader.integer("context_tokens", agent.context_tokens, 64, 1'000'000));
  agent.temperature = reader.number("temperature", agent.temperature, 0, 2);
  agent.retries = static_cast<int>(reader.integer("retries", agent.retries, 0, kRetriesMax));
  agent.stream = reader.get_bool("stream").value_or(agent.stream);
}

AgentConfig PartReader::agent(const std::string& name, const YamlNode& node) {
  static const std::vector<std::string> kKinds{"model", "template", "knowledge", "game", "table"};
  static const std::vector<std::string> kChoices{"auto", "required", "model"};
  static const std::vector<std::string> kKnowledge{"false", "true", "only"};
  AgentConfig agent;
  agent.name = name;
  if (!is_map(node, "the agent " + name, faults)) return agent;
  CheckedReader reader(node, faults);
  agent.kind = static_cast<AgentKind>(reader.choice("kind", kKinds));
  agent.model = reader.get_string("model").value_or(agent.model);
  agent.prompt_file = reader.localized("prompt");
  if (reader.get_node("prompt") != nullptr) {
    const YamlNode& at = reader.place("prompt");
    agent.prompt = {prompt(at, agent.prompt_file.zh), prompt(at, agent.prompt_file.en)};
  }
  agent.tools = reader.texts("tools");
  agent.tool_choice = static_cast<ToolChoice>(reader.choice("tool_choice", kChoices));
  const auto knowledge = reader.choice("knowledge", kKnowledge);
  agent.knowledge = knowledge > 0;
  agent.knowledge_only = knowledge == 2;
  agent_limits(reader, agent);
  agent.filters = {{"language", ""}, {"no-pii", ""}, {"length", ""}, {"repetition", ""}};
  if (const YamlNode* list = reader.get_node("filter")) agent.filters = filters(*list);
  agent.reply = reader.localized("template");
  agent.game = reader.text("game");
  if (const auto data = reader.get_string("data")) agent.data = inside(reader.place("data"), *data);
  agent.homophones = reader.get_bool("homophones").value_or(false);
  agent.label = reader.get_bool("label").value_or(false);
  reader.close();
  return agent;
}

std::vector<AgentConfig> PartReader::agents(const YamlNode& node) {
  std::vector<AgentConfig> agents;
  if (!is_map(node, "agents", faults)) return agents;
  for (const auto& [name, value] : node.entries) {
    if (agents.size() == kFlowAgentsMax) {
      faults.at(value, "more than " + std::to_string(kFlowAgentsMax) + " agents");
      break;
    }
    agents.push_back(agent(name, value));
  }
  return agents;
}

}  // namespace qiao::flow
