// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace qiao::model {
namespace {

Error corrupt(std::string_view what) {
  return {Code::kCorrupt, "between a worker and its supervisor: " + std::string(what)};
}

// A request may hold a schema as deep as is read elsewhere, some levels down.
constexpr std::size_t kDepthMax = kJsonDepthMax + 8;

Result<Json> object_of(std::string_view body) {
  auto json = parse_json(body, kDepthMax);
  if (!json) return corrupt(json.error().message);
  if (!json->is_object()) return corrupt("not an object");
  return json;
}

// Values of an object whose keys are all there; the first that is not is remembered.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}
  std::string text(std::string_view key) { return take(key, json_string(object_, key)); }
  double number(std::string_view key) { return take(key, json_number(object_, key)); }
  bool flag(std::string_view key) { return take(key, json_bool(object_, key)); }
  template <class T>
  T integer(std::string_view key) {
    return static_cast<T>(take(key, json_integer(object_, key)));
  }
  Json any(const char* key) {
    const auto at = object_.find(key);
    return at == object_.end() ? Json() : *at;
  }
  [[nodiscard]] Status status() const {
    if (missing_.empty()) return {};
    return corrupt("'" + missing_ + "' is missing");
  }

 private:
  template <class T>
  T take(std::string_view key, std::optional<T> value) {
    if (!value && missing_.empty()) missing_ = key;
    return std::move(value).value_or(T());
  }
  const Json& object_;
  std::string missing_;
};

Json json_of(const std::vector<ToolCall>& calls) {
  Json list = Json::array();
  for (const auto& call : calls) {
    list.push_back({{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  return list;
}

Result<std::vector<ToolCall>> calls_of(const Json& list) {
  std::vector<ToolCall> calls;
  for (const auto& item : list) {
    Fields fields(item);
    calls.push_back({fields.text("id"), fields.text("name"), fields.text("arguments")});
    QIAO_TRY(fields.status());
  }
  return calls;
}

Json json_of(const Sampling& sampling) {
  return {{"temperature", sampling.temperature},
          {"top_p", sampling.top_p},
          {"min_p", sampling.min_p},
          {"top_k", sampling.top_k},
          {"seed", sampling.seed},
          {"repeat_penalty", sampling.repeat_penalty}};
}

Result<Sampling> sampling_of(const Json& object) {
  Fields fields(object);
  Sampling sampling;
  sampling.temperature = fields.number("temperature");
  sampling.top_p = fields.number("top_p");
  sampling.min_p = fields.number("min_p");
  sampling.top_k = fields.integer<std::int32_t>("top_k");
  sampling.seed = fields.integer<std::uint32_t>("seed");
  sampling.repeat_penalty = fields.number("repeat_penalty");
  QIAO_TRY(fields.status());
  return sampling;
}

Result<ChatTurn> turn_of(const Json& object) {
  Fields fields(object);
  const auto role = fields.integer<int>("role");
  if (role < 0 || role > static_cast<int>(Role::kTool)) return corrupt("no such role");
  ChatTurn turn;
  turn.role = static_cast<Role>(role);
  turn.content = fields.text("content");
  turn.tool_call_id = fields.text("tool_call_id");
  QIAO_ASSIGN(turn.tool_calls, calls_of(fields.any("tool_calls")));
  QIAO_TRY(fields.status());
  return turn;
}

Result<std::vector<std::string>> strings_of(const Json& list) {
  if (!list.is_array()) return corrupt("not a list of texts");
  std::vector<std::string> texts;
  texts.reserve(list.size());
  for (const auto& item : list) {
    if (!item.is_string()) return corrupt("not a text");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

void append_count(std::string& body, std::size_t count) {
  const auto number = static_cast<std::uint32_t>(count);
  body.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::optional<std::uint32_t> take_count(std::string_view& body) {
  std::uint32_t number = 0;
  if (body.size() < sizeof number) return std::nullopt;
  std::memcpy(&number, body.data(), sizeof number);
  body.remove_prefix(sizeof number);
  return number;
}

template <class T>
std::string encode_lists(const std::vector<std::vector<T>>& lists) {
  std::string body;
  append_count(body, lists.size());
  for (const auto& list : lists) {
    append_count(body, list.size());
    body.append(reinterpret_cast<const char*>(list.data()), list.size() * sizeof(T));
  }
  return body;
}

template <class T>
Result<std::vector<std::vector<T>>> decode_lists(std::string_view body) {
  const auto count = take_count(body);
  // Each has its length at least: no more room is taken than was sent.
  if (!count || *count > body.size() / sizeof(std::uint32_t)) return corrupt("lists are cut short");
  std::vector<std::vector<T>> lists(*count);
  for (auto& list : lists) {
    const auto size = take_count(body);
    if (!size || *size > body.size() / sizeof(T)) return corrupt("a list is cut short");
    if (*size == 0) continue;
    list.resize(*size);
    std::memcpy(list.data(), body.data(), list.size() * sizeof(T));
    body.remove_prefix(list.size() * sizeof(T));
  }
  if (!body.empty()) return corrupt("more than the lists");
  return lists;
}

}  // namespace

std::string encode_options(const ModelOptions& options) {
  return dump_json({{"name", options.name},
                    {"path", options.path},
                    {"adapter", options.adapter},
                    {"encoder", options.encoder},
                    {"pooling", options.pooling},
                    {"threads", options.threads},
                    {"slots", options.slots},
                    {"context_tokens", options.context_tokens},
                    {"requests_max", options.requests_max},
                    {"memory_bytes_max", options.memory_bytes_max}});
}

Result<ModelOptions> decode_options(std::string_view body) {
  QIAO_ASSIGN(const Json json, object_of(body));
  Fields fields(json);
  ModelOptions options;
  options.name = fields.text("name");
  options.path = fields.text("path");
  options.adapter = fields.text("adapter");
  options.encoder = fields.flag("encoder");
  options.pooling = fields.text("pooling");
  options.threads = fields.integer<int>("threads");
  options.slots = fields.integer<int>("slots");
  options.context_tokens = fields.integer<std::int32_t>("context_tokens");
  options.requests_max = fields.integer<std::size_t>("requests_max");
  options.memory_bytes_max = fields.integer<std::size_t>("memory_bytes_max");
  QIAO_TRY(fields.status());
  return options;
}

std::string encode_info(const ModelInfo& info) {
  return dump_json({{"kind", info.kind},
                    {"context_tokens", info.context_tokens},
                    {"embedding_size", info.embedding_size},
                    {"slots", info.slots}});
}

Result<ModelInfo> decode_info(std::string_view body) {
  QIAO_ASSIGN(const Json json, object_of(body));
  Fields fields(json);
  ModelInfo info;
  info.kind = fields.text("kind");
  info.context_tokens = fields.integer<std::int32_t>("context_tokens");
  info.embedding_size = fields.integer<std::int32_t>("embedding_size");
  info.slots = fields.integer<std::int32_t>("slots");
  QIAO_TRY(fields.status());
  return info;
}

std::string encode_request(const GenerateRequest& request) {
  Json turns = Json::array();
  for (const auto& turn : request.turns) {
    turns.push_back({{"role", static_cast<int>(turn.role)},
                     {"content", turn.content},
                     {"tool_calls", json_of(turn.tool_calls)},
                     {"tool_call_id", turn.tool_call_id}});
  }
  return dump_json({{"turns", std::move(turns)},
                    {"shared_turns", request.shared_turns},
                    {"tokens_max", request.tokens_max},
                    {"stop", request.stop},
                    {"sampling", json_of(request.sampling)},
                    {"grammar", request.grammar},
                    {"json_schema", request.json_schema},
                    {"tools", request.tools},
                    {"tool_choice", request.tool_choice},
                    {"priority", request.priority}});
}

Result<GenerateRequest> decode_request(std::string_view body) {
  QIAO_ASSIGN(const Json json, object_of(body));
  Fields fields(json);
  GenerateRequest request;
  for (const auto& item : fields.any("turns")) {
    QIAO_ASSIGN(auto turn, turn_of(item));
    request.turns.push_back(std::move(turn));
  }
  request.shared_turns = fields.integer<std::size_t>("shared_turns");
  request.tokens_max = fields.integer<std::int32_t>("tokens_max");
  QIAO_ASSIGN(request.stop, strings_of(fields.any("stop")));
  QIAO_ASSIGN(request.sampling, sampling_of(fields.any("sampling")));
  request.grammar = fields.text("grammar");
  request.json_schema = fields.any("json_schema");
  request.tools = fields.any("tools");
  request.tool_choice = fields.text("tool_choice");
  request.priority = fields.integer<std::uint8_t>("priority");
  QIAO_TRY(fields.status());
  return request;
}

std::string encode_generated(const Generated& generated) {
  return dump_json({{"text", generated.text},
                    {"tool_calls", json_of(generated.tool_calls)},
                    {"finish", static_cast<int>(generated.finish)},
                    {"prompt_tokens", generated.usage.prompt_tokens},
                    {"cached_tokens", generated.usage.cached_tokens},
                    {"completion_tokens", generated.usage.completion_tokens},
                    {"first_token_ms", generated.first_token_ms},
                    {"total_ms", generated.total_ms}});
}

Result<Generated> decode_generated(std::string_view body) {
  QIAO_ASSIGN(const Json json, object_of(body));
  Fields fields(json);
  Generated generated;
  generated.text = fields.text("text");
  QIAO_ASSIGN(generated.tool_calls, calls_of(fields.any("tool_calls")));
  const auto finish = fields.integer<int>("finish");
  if (finish < 0 || finish > static_cast<int>(Finish::kToolCalls)) return corrupt("no such finish");
  generated.finish = static_cast<Finish>(finish);
  generated.usage.prompt_tokens = fields.integer<std::int32_t>("prompt_tokens");
  generated.usage.cached_tokens = fields.integer<std::int32_t>("cached_tokens");
  generated.usage.completion_tokens = fields.integer<std::int32_t>("completion_tokens");
  generated.first_token_ms = fields.number("first_token_ms");
  generated.total_ms = fields.number("total_ms");
  QIAO_TRY(fields.status());
  return generated;
}

std::string encode_error(const Error& error) {
  return dump_json({{"code", static_cast<int>(error.code)}, {"message", error.message}});
}

Error decode_error(std::string_view body) {
  const auto json = object_of(body);
  if (!json) return json.error();
  Fields fields(*json);
  const auto code = fields.integer<int>("code");
  auto message = fields.text("message");
  if (!fields.status() || code < static_cast<int>(Code::kInvalidArgument) ||
      code > static_cast<int>(Code::kInternal)) {
    return corrupt("not an error");
  }
  return {static_cast<Code>(code), std::move(message)};
}

std::string encode_texts(const std::vector<std::string>& texts) {
  return dump_json(texts);
}

Result<std::vector<std::string>> decode_texts(std::string_view body) {
  auto json = parse_json(body);
  if (!json) return corrupt(json.error().message);
  return strings_of(*json);
}

std::string encode_vectors(const Embeddings& vectors) {
  return encode_lists(vectors);
}
Result<Embeddings> decode_vectors(std::string_view body) {
  return decode_lists<float>(body);
}
std::string encode_tokens(const std::vector<std::vector<std::int32_t>>& tokens) {
  return encode_lists(tokens);
}
Result<std::vector<std::vector<std::int32_t>>> decode_tokens(std::string_view body) {
  return decode_lists<std::int32_t>(body);
}

}  // namespace qiao::model
