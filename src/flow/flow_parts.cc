// SPDX-License-Identifier: Apache-2.0
#include "flow/flow_parts.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "base/disk.h"
#include "message/message.h"

namespace qiao::flow {
namespace {

constexpr std::int64_t kTurnWaitMsMax = 60'000;
constexpr std::int64_t kToolTimeoutMsMax = 60'000;
constexpr std::size_t kHistoryMax = 32;
constexpr std::size_t kKnowledgeTopMax = 20;
constexpr std::size_t kCommandWordsMax = 32;
constexpr int kRetriesMax = 5;

// A whole number of `key`, in [low, high]; `otherwise` when it is not written.
std::int64_t integer(PartReader& part, YamlReader& reader, const YamlNode& node,
                     std::string_view key, std::int64_t otherwise, std::int64_t low,
                     std::int64_t high) {
  const auto value = reader.get_integer(key);
  if (!value) return otherwise;
  if (*value >= low && *value <= high) return *value;
  const YamlNode* at = node.find(key);
  part.faults.at(at ? *at : node, std::string(key) + " must be between " + std::to_string(low) +
                                      " and " + std::to_string(high));
  return otherwise;
}

double number(PartReader& part, YamlReader& reader, const YamlNode& node, std::string_view key,
              double otherwise, double low, double high) {
  const auto value = reader.get_number(key);
  return value ? part.in_range(node, key, *value, low, high) : otherwise;
}

std::int64_t duration(PartReader& part, YamlReader& reader, const YamlNode& node,
                      std::string_view key, std::int64_t otherwise, std::int64_t high) {
  const auto value = reader.get_duration_ms(key);
  if (!value) return otherwise;
  if (*value >= 0 && *value <= high) return *value;
  const YamlNode* at = node.find(key);
  part.faults.at(at ? *at : node,
                 std::string(key) + " must be between 0 and " + std::to_string(high) + "ms");
  return otherwise;
}

bool is_map(const YamlNode& node, std::string_view what, Faults& faults) {
  if (node.kind == YamlNode::Kind::kMap) return true;
  faults.at(node, std::string(what) + " is a map: { key: value, … }");
  return false;
}

std::string one_of(const YamlNode& node, std::string_view what, std::string value,
                   const std::vector<std::string>& known, Faults& faults) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return value;
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  const auto near = nearest(value, known);
  faults.at(node, "unknown " + std::string(what) + " \"" + value + "\"" +
                      (near ? ", did you mean \"" + *near + "\"?" : "") + " (known: " + list + ")");
  return known.front();
}

}  // namespace

double PartReader::in_range(const YamlNode& node, std::string_view key, double value, double low,
                            double high) {
  if (value >= low && value <= high) return value;
  const YamlNode* at = node.find(key);
  const auto text = [](double number) {
    std::string digits = std::to_string(number);
    digits.erase(digits.find_last_not_of('0') + 1);
    return digits.back() == '.' ? digits.substr(0, digits.size() - 1) : digits;
  };
  faults.at(at ? *at : node,
            std::string(key) + " must be between " + text(low) + " and " + text(high));
  return low;
}

std::string PartReader::inside(const YamlNode& node, const std::string& relative) {
  const std::filesystem::path path(relative);
  const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
  if (relative.empty() || path.is_absolute() || climbs) {
    faults.at(node, "\"" + relative + "\" must be a file inside the flow's folder");
    return {};
  }
  return (std::filesystem::path(directory) / path).string();
}

TurnConfig PartReader::turn(const YamlNode& node) {
  TurnConfig turn;
  if (!is_map(node, "turn", faults)) return turn;
  YamlReader reader(node);
  turn.settle_ms = duration(*this, reader, node, "settle", 0, kTurnWaitMsMax);
  turn.max_wait_ms = duration(*this, reader, node, "max_wait", turn.max_wait_ms, kTurnWaitMsMax);
  faults.take(reader.finish());
  return turn;
}

EndConfig PartReader::end(const YamlNode& node) {
  EndConfig end;
  if (!is_map(node, "end", faults)) return end;
  YamlReader reader(node);
  end.intent = reader.get_string("intent");
  end.score = number(*this, reader, node, "score", 0, 0, 1);
  end.idle_ms = duration(*this, reader, node, "idle", 0, std::int64_t{30} * 24 * 3'600'000);
  end.turns = static_cast<std::int32_t>(integer(*this, reader, node, "turns", 0, 1, 100'000));
  end.text = read_localized(reader.get_node("text"), faults);
  faults.take(reader.finish());
  return end;
}

void PartReader::understand(const YamlNode& node, FlowConfig& config) {
  if (!is_map(node, "understand", faults)) return;
  YamlReader reader(node);
  config.sentiment = reader.get_bool("sentiment").value_or(false);
  config.entities = reader.get_strings("entities").value_or(std::vector<std::string>{});
  if (const YamlNode* intents = reader.get_node("intents");
      intents != nullptr && is_map(*intents, "intents", faults)) {
    for (const auto& [label, examples] : intents->entries) {
      config.intents[label] = read_texts(&examples, kFlowExamplesMax, faults);
      if (config.intents[label].empty()) {
        faults.at(examples, "the intent " + label + " has no examples");
      }
    }
  }
  faults.take(reader.finish());
}

void PartReader::thresholds(const YamlNode& node, RouteTable& table) {
  if (!is_map(node, "thresholds", faults)) return;
  YamlReader reader(node);
  table.threshold = number(*this, reader, node, "semantic", table.threshold, 0, 1);
  table.margin = number(*this, reader, node, "margin", table.margin, 0, 1);
  faults.take(reader.finish());
}

std::vector<std::string> PartReader::glob(const YamlNode& node, const std::string& pattern) {
  const std::string path = inside(node, pattern);
  if (path.empty()) return {};
  const std::size_t star = pattern.find('*');
  if (star == std::string::npos) return {path};
  const std::filesystem::path whole(path);
  const std::string name = whole.filename().string();
  const std::size_t at = name.find('*');
  if (at == std::string::npos || name.find('*', at + 1) != std::string::npos) {
    faults.at(node, "\"" + pattern + "\": one * is allowed, in the file's name");
    return {};
  }
  const std::string head = name.substr(0, at);
  const std::string tail = name.substr(at + 1);
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path(), error)) {
    const std::string candidate = entry.path().filename().string();
    if (candidate.size() >= head.size() + tail.size() && candidate.starts_with(head) &&
        candidate.ends_with(tail)) {
      found.push_back(entry.path().string());
    }
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) faults.at(node, "no file matches \"" + pattern + "\"");
  return found;
}

KnowledgeConfig PartReader::knowledge(const YamlNode& node) {
  KnowledgeConfig knowledge;
  if (!is_map(node, "knowledge", faults)) return knowledge;
  YamlReader reader(node);
  const YamlNode* files = reader.get_node("files");
  knowledge.to = reader.get_string("to").value_or("");
  knowledge.certain = number(*this, reader, node, "certain", knowledge.certain, 0, 1);
  knowledge.related = number(*this, reader, node, "related", knowledge.related, 0, 1);
  knowledge.top = static_cast<std::size_t>(integer(*this, reader, node, "top",
                                                   static_cast<std::int64_t>(knowledge.top), 1,
                                                   static_cast<std::int64_t>(kKnowledgeTopMax)));
  faults.take(reader.finish());
  if (knowledge.related > knowledge.certain) {
    faults.at(node, "`related` must not be above `certain`");
  }
  if (files == nullptr) {
    faults.at(node, "knowledge needs `files`: [ knowledge/*.yaml ]");
    return knowledge;
  }
  std::set<std::string> ids;
  for (const std::string& pattern : read_texts(files, 64, faults)) {
    for (const std::string& path : glob(*files, pattern)) {
      auto entries = load_knowledge(path);
      if (!entries) {
        faults.take(entries.error());
        continue;
      }
      for (KnowledgeEntry& entry : *entries) {
        if (!ids.insert(entry.id).second) {
          faults.at(*files, "the id " + entry.id + " is used twice (again in " + entry.file + ")");
        }
        knowledge.entries.push_back(std::move(entry));
      }
    }
  }
  if (knowledge.entries.size() > kKnowledgeEntriesMax) {
    faults.at(*files, "more than " + std::to_string(kKnowledgeEntriesMax) + " knowledge entries");
  }
  return knowledge;
}

void PartReader::http(const YamlNode& node, ToolConfig& tool) {
  if (!is_map(node, "http", faults)) return;
  YamlReader reader(node);
  tool.method = reader.get_string("method").value_or("GET");
  tool.url = reader.get_string("url").value_or("");
  if (const YamlNode* headers = reader.get_node("headers");
      headers != nullptr && is_map(*headers, "headers", faults)) {
    for (const auto& [name, value] : headers->entries)
      tool.headers.emplace_back(name, value.scalar);
  }
  faults.take(reader.finish());
  static const std::vector<std::string> kMethods{"GET", "POST", "PUT", "PATCH", "DELETE"};
  tool.method = one_of(node, "method", tool.method, kMethods, faults);
  if (!tool.url.starts_with("http://") && !tool.url.starts_with("https://")) {
    faults.at(node, "http needs a `url` that begins with http:// or https://");
  }
}

ToolConfig PartReader::tool(const std::string& name, const YamlNode& node) {
  ToolConfig tool;
  tool.name = name;
  if (!is_map(node, "the tool " + name, faults)) return tool;
  YamlReader reader(node);
  tool.describe = read_localized(reader.get_node("describe"), faults);
  if (const YamlNode* http_node = reader.get_node("http")) {
    http(*http_node, tool);
  } else {
    faults.at(node, "the tool " + name + " needs `http: { method: GET, url: … }`");
  }
  tool.start = read_texts(reader.get_node("start"), kCommandWordsMax, faults);
  tool.needs = reader.get_strings("needs").value_or(std::vector<std::string>{});
  tool.ask = read_localized(reader.get_node("ask"), faults);
  tool.timeout_ms = duration(*this, reader, node, "timeout", tool.timeout_ms, kToolTimeoutMsMax);
  faults.take(reader.finish());
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
  static const std::vector<std::string> kFilters{"language", "relevant",   "no-pii",
                                                 "length",   "repetition", "format"};
  std::vector<FilterConfig> filters;
  const bool list = node.kind == YamlNode::Kind::kList;
  const std::vector<YamlNode> single{node};
  for (const YamlNode& item : list ? node.items : single) {
    FilterConfig filter;
    if (item.kind == YamlNode::Kind::kMap && item.entries.size() == 1) {
      filter = {item.entries[0].first, item.entries[0].second.scalar};
    } else if (item.kind == YamlNode::Kind::kScalar) {
      filter.name = item.scalar;
    } else {
      faults.at(item, "a filter is a name, or { format: json }");
      continue;
    }
    filter.name = one_of(item, "filter", filter.name, kFilters, faults);
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

void PartReader::agent_prompt(const YamlNode& node, YamlReader& reader, AgentConfig& agent) {
  const auto file = reader.get_string("prompt");
  if (!file) return;
  const YamlNode* at = node.find("prompt");
  agent.prompt_file = *file;
  const std::string path = inside(at ? *at : node, *file);
  if (path.empty()) return;
  auto text = read_file(path, kFlowPromptBytesMax);
  if (!text) {
    faults.at(at ? *at : node, "cannot read the prompt: " + text.error().message);
  } else if (!valid_utf8(*text)) {
    faults.at(at ? *at : node, "the prompt " + *file + " is not UTF-8 text");
  } else {
    agent.prompt = std::move(*text);
    agent.prompt.erase(agent.prompt.find_last_not_of(" \r\n\t") + 1);
  }
}

AgentConfig PartReader::agent(const std::string& name, const YamlNode& node) {
  static const std::vector<std::string> kKinds{"model", "template", "knowledge", "game", "table"};
  static const std::vector<std::string> kChoices{"auto", "required", "model"};
  AgentConfig agent;
  agent.name = name;
  if (!is_map(node, "the agent " + name, faults)) return agent;
  YamlReader reader(node);
  const std::string kind =
      one_of(node, "kind", reader.get_string("kind").value_or("model"), kKinds, faults);
  agent.kind =
      static_cast<AgentKind>(std::find(kKinds.begin(), kKinds.end(), kind) - kKinds.begin());
  agent.model = reader.get_string("model").value_or("chat");
  agent_prompt(node, reader, agent);
  agent.tools = reader.get_strings("tools").value_or(std::vector<std::string>{});
  const std::string choice = one_of(
      node, "tool_choice", reader.get_string("tool_choice").value_or("auto"), kChoices, faults);
  agent.tool_choice = static_cast<ToolChoice>(std::find(kChoices.begin(), kChoices.end(), choice) -
                                              kChoices.begin());
  agent.knowledge = reader.get_bool("knowledge").value_or(false);
  agent.history = static_cast<std::size_t>(
      integer(*this, reader, node, "history", 6, 0, static_cast<std::int64_t>(kHistoryMax)));
  agent.tokens =
      static_cast<std::int32_t>(integer(*this, reader, node, "tokens", agent.tokens, 1, 32'768));
  agent.context_tokens = static_cast<std::int32_t>(
      integer(*this, reader, node, "context_tokens", agent.context_tokens, 64, 1'000'000));
  agent.temperature = number(*this, reader, node, "temperature", agent.temperature, 0, 2);
  agent.filters = {{"language", ""}, {"no-pii", ""}, {"length", ""}, {"repetition", ""}};
  if (const YamlNode* list = reader.get_node("filter")) agent.filters = filters(*list);
  agent.retries = static_cast<int>(integer(*this, reader, node, "retries", 1, 0, kRetriesMax));
  agent.reply = read_localized(reader.get_node("template"), faults);
  agent.game = reader.get_string("game").value_or("");
  if (const auto data = reader.get_string("data")) {
    agent.data = inside(*node.find("data"), *data);
  }
  agent.homophones = reader.get_bool("homophones").value_or(false);
  agent.label = reader.get_bool("label").value_or(false);
  faults.take(reader.finish());
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

FallbackConfig PartReader::fallback(const YamlNode& node) {
  FallbackConfig fallback;
  if (!is_map(node, "fallback", faults)) return fallback;
  YamlReader reader(node);
  fallback.to = reader.get_string("to").value_or("");
  fallback.text = read_localized(reader.get_node("text"), faults);
  faults.take(reader.finish());
  return fallback;
}

Budget PartReader::budget(const YamlNode& node) {
  Budget budget{8, 4'000, 60'000};
  if (!is_map(node, "budget", faults)) return budget;
  YamlReader reader(node);
  budget.hops = static_cast<std::int32_t>(integer(*this, reader, node, "hops", 8, 1, 1'000));
  budget.tokens = integer(*this, reader, node, "tokens", 4'000, 1, 10'000'000);
  budget.wall_ms = duration(*this, reader, node, "wall", 60'000, 3'600'000);
  faults.take(reader.finish());
  return budget;
}

}  // namespace qiao::flow
