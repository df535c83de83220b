// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/template_text.h"

namespace qiao {
namespace {

std::string as_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

// The value of a dotted path in a tool's answer: "items.name".
std::optional<std::string> field_of(const Json& json, std::string_view path) {
  const Json* at = &json;
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    if (!at->is_object()) return std::nullopt;
    const auto found = at->find(std::string(path.substr(0, dot)));
    if (found == at->end()) return std::nullopt;
    at = &*found;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return at->is_null() ? std::nullopt : std::optional(as_text(*at));
}

std::optional<std::string> value_of(std::string_view name, const AgentTask& task) {
  if (name == "knowledge") {
    if (task.knowledge.empty()) return std::nullopt;
    return task.knowledge.front().entry->answer.in(task.language);
  }
  const std::size_t dot = std::min(name.find('.'), name.size());
  const std::string_view first = name.substr(0, dot);
  const std::string_view rest = name.substr(std::min(dot + 1, name.size()));
  for (const ToolOutcome& outcome : task.tools) {
    if (outcome.tool == first && outcome.error.empty()) return field_of(outcome.result, rest);
  }
  if (first == "entity" && task.conversation) {
    const auto found = task.conversation->entities.find(std::string(rest));
    if (found != task.conversation->entities.end()) return found->second.value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> fill_template(std::string_view text, const AgentTask& task) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    const std::size_t close = open == text.npos ? text.npos : text.find('}', open);
    if (close == text.npos) break;
    const auto value = value_of(text.substr(open + 1, close - open - 1), task);
    if (!value) return std::nullopt;
    out.append(text.substr(0, open)).append(*value);
    text.remove_prefix(close + 1);
  }
  return out.append(text);
}

}  // namespace qiao
