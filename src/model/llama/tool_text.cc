// SPDX-License-Identifier: Apache-2.0
#include "model/llama/tool_text.h"

#include <algorithm>
#include <utility>

namespace qiao::model {
namespace {

Error unreadable(std::string_view text, const std::string& why) {
  return {Code::kModelFailed, "the model called a tool in a form that cannot be read (" + why +
                                  "): " + std::string(text.substr(0, 200))};
}

std::string_view trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::string name_of_tool(const Json& tool) {
  const auto function = tool.find("function");
  return function == tool.end() ? std::string() : json_string(*function, "name").value_or("");
}

bool is_offered(const Json& tools, std::string_view name) {
  return std::any_of(tools.begin(), tools.end(),
                     [&](const Json& tool) { return name_of_tool(tool) == name; });
}

Result<ToolCall> parse_call(std::string_view text, const Json& tools, std::size_t number) {
  const auto json = parse_json(trim(text));
  if (!json) return unreadable(text, json.error().message);
  ToolCall call;
  call.id = "call_" + std::to_string(number);
  call.name = json_string(*json, "name").value_or("");
  if (call.name.empty()) return unreadable(text, "no name");
  if (!is_offered(tools, call.name)) return unreadable(text, "no such tool was offered");
  const auto arguments = json->find("arguments");
  if (arguments == json->end()) {
    call.arguments = "{}";
  } else {
    call.arguments = arguments->is_string() ? arguments->get<std::string>() : dump_json(*arguments);
  }
  return call;
}

}  // namespace

Status check_tools(const Json& tools) {
  if (tools.is_null()) return {};
  if (!tools.is_array()) return invalid_argument("tools must be a list");
  if (tools.size() > kToolsMax) {
    return invalid_argument("more than " + std::to_string(kToolsMax) + " tools");
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string where = "tools[" + std::to_string(i) + "]";
    if (!tools[i].is_object() || name_of_tool(tools[i]).empty()) {
      return invalid_argument(where + " must be { type: function, function: { name, … } }");
    }
    const auto& function = tools[i].at("function");
    const auto parameters = function.find("parameters");
    if (parameters != function.end() && !parameters->is_object() && !parameters->is_null()) {
      return invalid_argument(where + ".function.parameters must be a JSON Schema");
    }
  }
  return {};
}

std::string tool_offer(const Json& tools) {
  if (!tools.is_array() || tools.empty()) return {};
  std::string text =
      "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
      "You are provided with function signatures within <tools></tools> XML tags:\n<tools>";
  for (const auto& tool : tools) text += "\n" + dump_json(tool);
  text +=
      "\n</tools>\n\nFor each function call, return a json object with function name and "
      "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
      "{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>";
  return text;
}

std::string tool_call_text(const ToolCall& call) {
  Json json;
  json["name"] = call.name;
  const auto arguments = parse_json(call.arguments);
  json["arguments"] = arguments ? *arguments : Json(call.arguments);
  return std::string(kToolCallOpen) + "\n" + dump_json(json) + "\n" + std::string(kToolCallClose);
}

std::string tool_response_text(std::string_view content) {
  return "<tool_response>\n" + std::string(content) + "\n</tool_response>";
}

Json tool_call_schema(const Json& tools, std::string_view only) {
  Json choices = Json::array();
  for (const auto& tool : tools) {
    const auto name = name_of_tool(tool);
    if (!only.empty() && name != only) continue;
    const auto& function = tool.at("function");
    const auto parameters = function.find("parameters");
    Json arguments = {{"type", "object"}};
    if (parameters != function.end() && parameters->is_object()) arguments = *parameters;
    choices.push_back({{"type", "object"},
                       {"properties", {{"name", {{"const", name}}}, {"arguments", arguments}}},
                       {"required", {"name", "arguments"}},
                       {"additionalProperties", false}});
  }
  return choices.size() == 1 ? choices[0] : Json{{"anyOf", choices}};
}

Result<std::vector<ToolCall>> parse_tool_calls(std::string_view text, const Json& tools) {
  std::vector<ToolCall> calls;
  if (!tools.is_array()) return calls;
  if (text.find(kToolCallOpen) == std::string_view::npos) {
    QIAO_ASSIGN(auto call, parse_call(text, tools, 1));
    calls.push_back(std::move(call));
    return calls;
  }
  for (std::size_t at = text.find(kToolCallOpen); at != std::string_view::npos;
       at = text.find(kToolCallOpen, at)) {
    at += kToolCallOpen.size();
    const auto end = std::min(text.find(kToolCallClose, at), text.find(kToolCallOpen, at));
    if (calls.size() == kToolCallsMax) return unreadable(text, "too many calls");
    QIAO_ASSIGN(auto call, parse_call(text.substr(at, end - at), tools, calls.size() + 1));
    calls.push_back(std::move(call));
  }
  return calls;
}

}  // namespace qiao::model
