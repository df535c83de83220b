// SPDX-License-Identifier: Apache-2.0
#include "server/openai/openai_request.h"

#include "server/api/fields.h"

namespace qiao::server {
namespace {

constexpr std::int64_t kTokensMax = 1 << 20;
constexpr std::size_t kStopsMax = 16;
constexpr std::int64_t kModelDeadlineMs = 300'000;

Error unsupported(std::string message) {
  return {Code::kUnsupported, std::move(message)};
}

// A text, or a list of text parts.
Result<std::string> read_content(const Json& message) {
  const auto found = message.find("content");
  if (found == message.end() || found->is_null()) return std::string();
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return invalid_argument("'content' must be a string or a list of parts");
  std::string text;
  for (const Json& part : *found) {
    const std::string type = json_string(part, "type").value_or("");
    if (type != "text") return unsupported("content of type '" + type + "' is not supported");
    const auto piece = json_string(part, "text");
    if (!piece) return invalid_argument("a text part needs 'text'");
    text += *piece;
  }
  return text;
}

Result<std::vector<ToolCall>> read_tool_calls(const Json& message) {
  std::vector<ToolCall> calls;
  const auto found = message.find("tool_calls");
  if (found == message.end() || found->is_null()) return calls;
  const Error fault = invalid_argument(
      "'tool_calls' is a list of {\"id\", \"type\":\"function\", \"function\":{\"name\", "
      "\"arguments\"}}");
  if (!found->is_array()) return fault;
  for (const Json& item : *found) {
    if (!item.is_object() || !item.contains("function")) return fault;
    const Json& function = item["function"];
    const auto name = json_string(function, "name");
    if (!name) return fault;
    calls.push_back({json_string(item, "id").value_or(""), *name,
                     json_string(function, "arguments").value_or("{}")});
  }
  return calls;
}

Result<ChatTurn> read_turn(const Json& message) {
  if (!message.is_object()) return invalid_argument("each of 'messages' must be an object");
  const auto role = json_string(message, "role");
  if (!role) return invalid_argument("a message needs 'role'");
  ChatTurn turn;
  QIAO_ASSIGN(turn.role, parse_role(*role == "developer" ? "system" : *role));
  QIAO_ASSIGN(turn.content, read_content(message));
  QIAO_ASSIGN(turn.tool_calls, read_tool_calls(message));
  turn.tool_call_id = json_string(message, "tool_call_id").value_or("");
  if (turn.content.empty() && turn.tool_calls.empty() && turn.role == Role::kUser)
    return invalid_argument("a user's message needs 'content'");
  return turn;
}

Status read_turns(Fields& fields, GenerateRequest& generate) {
  const Json* messages = fields.list("messages");
  if (messages == nullptr || messages->empty() || messages->size() > kTurnsMax) {
    return invalid_argument("'messages' is a list of 1 to " + std::to_string(kTurnsMax));
  }
  for (const Json& message : *messages) {
    Result<ChatTurn> turn = read_turn(message);
    if (!turn) {
      return std::move(turn.error())
          .with("messages[" + std::to_string(generate.turns.size()) + "]");
    }
    generate.turns.push_back(std::move(*turn));
  }
  return {};
}

Status read_format(Fields& fields, GenerateRequest& generate) {
  const Json* format = fields.any("response_format");
  if (format == nullptr) return {};
  const std::string type = json_string(*format, "type").value_or("");
  if (type == "text") return {};
  if (type == "json_object") {
    generate.json_schema = Json{{"type", "object"}};
    return {};
  }
  if (type != "json_schema")
    return invalid_argument("'response_format.type' is text, json_object or json_schema");
  const auto outer = format->find("json_schema");
  if (outer == format->end() || !outer->is_object() || !outer->contains("schema") ||
      !(*outer)["schema"].is_object()) {
    return invalid_argument("'response_format.json_schema.schema' must be a JSON Schema");
  }
  generate.json_schema = (*outer)["schema"];
  return {};
}

Status read_tools(Fields& fields, GenerateRequest& generate) {
  const Json* tools = fields.list("tools");
  const Json* choice = fields.any("tool_choice");
  if (tools != nullptr && !tools->empty()) generate.tools = *tools;
  if (choice == nullptr || *choice == "auto") return {};
  if (*choice == "none") {
    generate.tools = nullptr;
    return {};
  }
  if (generate.tools.is_null()) return invalid_argument("'tool_choice' needs 'tools'");
  if (*choice == "required") {
    generate.tool_choice = "required";
    return {};
  }
  const Json function = choice->is_object() ? choice->value("function", Json()) : Json();
  generate.tool_choice = json_string(function, "name").value_or("");
  if (!generate.tool_choice.empty()) return {};
  return invalid_argument(
      "'tool_choice' is \"none\", \"auto\", \"required\" or {\"type\":\"function\", "
      "\"function\":{\"name\"}}");
}

Status read_stops(Fields& fields, GenerateRequest& generate) {
  const Json* stop = fields.any("stop");
  if (stop == nullptr) return {};
  const Json list = stop->is_array() ? *stop : Json::array({*stop});
  if (list.size() > kStopsMax)
    return invalid_argument("'stop' has at most " + std::to_string(kStopsMax) + " texts");
  for (const Json& item : list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty())
      return invalid_argument("'stop' is a text or a list of texts");
    generate.stop.push_back(item.get<std::string>());
  }
  return {};
}

void read_sampling(Fields& fields, GenerateRequest& generate) {
  Sampling& sampling = generate.sampling;
  sampling.temperature = fields.number("temperature", 0, 2).value_or(sampling.temperature);
  sampling.top_p = fields.number("top_p", 0, 1).value_or(sampling.top_p);
  sampling.min_p = fields.number("min_p", 0, 1).value_or(sampling.min_p);
  sampling.top_k =
      static_cast<std::int32_t>(fields.integer("top_k", 0, INT32_MAX).value_or(sampling.top_k));
  sampling.repeat_penalty =
      fields.number("repeat_penalty", 0, 10).value_or(sampling.repeat_penalty);
  if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX)) {
    sampling.seed = static_cast<std::uint32_t>(*seed);
    if (sampling.seed == 0) sampling.seed = 1;  // 0 would mean any
  }
  auto tokens = fields.integer("max_completion_tokens", 1, kTokensMax);
  if (const auto older = fields.integer("max_tokens", 1, kTokensMax); !tokens) tokens = older;
  generate.tokens_max = static_cast<std::int32_t>(tokens.value_or(generate.tokens_max));
  generate.deadline_ms = kModelDeadlineMs;
}

// What would change the answer and is not done here must not be passed over in silence.
Status refuse_unsupported(Fields& fields) {
  if (fields.integer("n", 1, INT32_MAX).value_or(1) != 1)
    return unsupported("'n' above 1 is not supported");
  if (fields.flag("logprobs").value_or(false)) return unsupported("'logprobs' is not supported");
  for (const char* key : {"presence_penalty", "frequency_penalty"}) {
    if (fields.number(key, -2, 2).value_or(0) != 0)
      return unsupported("'" + std::string(key) + "' is not supported; see 'repeat_penalty'");
  }
  for (const char* key : {"functions", "function_call", "audio", "prediction", "logit_bias"}) {
    const Json* value = fields.any(key);
    if (value != nullptr && !value->empty())
      return unsupported("'" + std::string(key) + "' is not supported");
  }
  fields.known({"metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                "parallel_tool_calls", "reasoning_effort", "verbosity", "modalities",
                "top_logprobs", "prompt_cache_retention"});
  return {};
}

void read_stream_options(Fields& fields, ChatRequest& request) {
  request.stream = fields.flag("stream").value_or(false);
  const Json* options = fields.any("stream_options");
  if (options != nullptr)
    request.include_usage = json_bool(*options, "include_usage").value_or(false);
}

}  // namespace

Result<ChatRequest> read_chat_request(const Json& body) {
  ChatRequest request;
  Fields fields(body);
  request.model = fields.needed_text("model");
  request.user = fields.text("user").value_or("");
  request.conversation = fields.text("conversation").value_or("");
  read_stream_options(fields, request);
  QIAO_TRY(read_turns(fields, request.generate));
  QIAO_TRY(read_format(fields, request.generate));
  QIAO_TRY(read_tools(fields, request.generate));
  QIAO_TRY(read_stops(fields, request.generate));
  read_sampling(fields, request.generate);
  QIAO_TRY(refuse_unsupported(fields));
  QIAO_TRY(fields.finish());
  return request;
}

}  // namespace qiao::server
