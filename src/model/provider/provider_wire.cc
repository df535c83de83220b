// SPDX-License-Identifier: Apache-2.0
#include "model/provider/provider_wire.h"

#include <cmath>
#include <utility>

namespace qiao::model {
namespace {

constexpr std::size_t kErrorTextBytesMax = 300;
constexpr std::size_t kEmbeddingSizeMax = 1 << 16;
constexpr std::int64_t kTokensMax = 1'000'000'000;

Error garbage(std::string_view what) {
  return {Code::kModelFailed,
          "the provider's answer is not of OpenAI's form: " + std::string(what)};
}

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Json call_json(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

Json turn_json(const ChatTurn& turn) {
  Json json = {{"role", std::string(name_of(turn.role))}, {"content", turn.content}};
  if (turn.role == Role::kTool) json["tool_call_id"] = turn.tool_call_id;
  if (turn.tool_calls.empty()) return json;
  if (turn.content.empty()) json["content"] = nullptr;
  json["tool_calls"] = Json::array();
  for (const ToolCall& call : turn.tool_calls) json["tool_calls"].push_back(call_json(call));
  return json;
}

// OpenAI's strict mode takes only schemas whose objects are closed.
Json schema_format(const Json& schema) {
  const bool closed = json_bool(schema, "additionalProperties") == false;
  Json format = {{"name", "answer"}, {"schema", schema}};
  if (closed) format["strict"] = true;
  return {{"type", "json_schema"}, {"json_schema", std::move(format)}};
}

Usage parse_usage(const Json& json) {
  const auto count = [](const Json& object, std::string_view key) {
    const std::int64_t value = json_integer(object, key).value_or(0);
    return static_cast<std::int32_t>(value < 0 || value > kTokensMax ? 0 : value);
  };
  Usage usage;
  usage.prompt_tokens = count(json, "prompt_tokens");
  usage.completion_tokens = count(json, "completion_tokens");
  if (const Json* details = member(json, "prompt_tokens_details")) {
    usage.cached_tokens = count(*details, "cached_tokens");
  }
  return usage;
}

// The one element of `choices`, or nullptr (the last chunk carries only usage).
const Json* first_choice(const Json& json) {
  const Json* choices = member(json, "choices");
  return choices != nullptr && choices->is_array() && !choices->empty() ? &choices->front()
                                                                        : nullptr;
}

Result<std::vector<float>> unit_vector(const Json& numbers) {
  if (!numbers.is_array() || numbers.empty() || numbers.size() > kEmbeddingSizeMax) {
    return garbage("an embedding is no list of numbers");
  }
  std::vector<float> vector;
  vector.reserve(numbers.size());
  double norm = 0;
  for (const Json& number : numbers) {
    if (!number.is_number()) return garbage("an embedding holds no number");
    const double value = number.get<double>();
    norm += value * value;
    vector.push_back(static_cast<float>(value));
  }
  norm = std::sqrt(norm);
  if (!std::isfinite(norm) || norm == 0) return garbage("an embedding has no direction");
  for (float& value : vector) value = static_cast<float>(value / norm);
  return vector;
}

}  // namespace

Result<Json> chat_body(const GenerateRequest& request, const std::string& remote_name) {
  if (!request.grammar.empty()) {
    return Error{Code::kUnsupported, "a provider takes no GBNF grammar; use json_schema"};
  }
  Json body = {{"model", remote_name},
               {"messages", Json::array()},
               {"stream", true},
               {"stream_options", {{"include_usage", true}}},
               {"max_tokens", request.tokens_max},
               {"temperature", request.sampling.temperature},
               {"top_p", request.sampling.top_p}};
  for (const ChatTurn& turn : request.turns) body["messages"].push_back(turn_json(turn));
  if (!request.stop.empty()) body["stop"] = request.stop;
  if (request.sampling.seed != 0) body["seed"] = request.sampling.seed;
  if (request.tools.is_array() && !request.tools.empty()) body["tools"] = request.tools;
  if (!request.json_schema.is_null()) body["response_format"] = schema_format(request.json_schema);
  return body;
}

Json embeddings_body(const std::vector<std::string>& texts, const std::string& remote_name) {
  return {{"model", remote_name}, {"input", texts}, {"encoding_format", "float"}};
}

Status AnswerBuilder::add_chunk(const Json& chunk) {
  if (!chunk.is_object()) return garbage("a chunk is no object");
  if (const Json* error = member(chunk, "error")) {
    return Error{Code::kModelFailed, "the provider broke off: " + error_text(dump_json(chunk)) +
                                         (error->is_object() ? "" : " (no details)")};
  }
  if (const Json* usage = member(chunk, "usage")) answer_.usage = parse_usage(*usage);
  const Json* choice = first_choice(chunk);
  if (choice == nullptr) return {};
  if (const Json* delta = member(*choice, "delta")) QIAO_TRY(add_message(*delta));
  if (const auto reason = json_string(*choice, "finish_reason")) return finish(*reason);
  return {};
}

Status AnswerBuilder::add_whole(const Json& completion) {
  if (const Json* usage = member(completion, "usage")) answer_.usage = parse_usage(*usage);
  const Json* choice = first_choice(completion);
  const Json* message = choice == nullptr ? nullptr : member(*choice, "message");
  if (message == nullptr) return garbage("no choices[0].message");
  QIAO_TRY(add_message(*message));
  return finish(json_string(*choice, "finish_reason").value_or("stop"));
}

Status AnswerBuilder::add_message(const Json& message) {
  if (!message.is_object()) return garbage("a message is no object");
  if (const auto refusal = json_string(message, "refusal"); refusal && !refusal->empty()) {
    return Error{Code::kModelFailed, "the provider's model refused"};
  }
  if (const auto text = json_string(message, "content"); text && !text->empty()) {
    if (answer_.text.size() + text->size() > kTextBytesMax) return garbage("over 4 MiB of text");
    answer_.text += *text;
    if (on_text_) on_text_(*text);
  }
  const Json* calls = member(message, "tool_calls");
  return calls == nullptr ? Status{} : add_calls(*calls);
}

Status AnswerBuilder::add_calls(const Json& calls) {
  if (!calls.is_array()) return garbage("tool_calls is no list");
  std::int64_t next = 0;
  for (const Json& item : calls) {
    const std::int64_t index = json_integer(item, "index").value_or(next++);
    if (index < 0 || index >= static_cast<std::int64_t>(kToolCallsMax)) {
      return garbage("a tool call's index is out of range");
    }
    ToolCall& call = calls_[index];
    call.id += json_string(item, "id").value_or("");
    if (const Json* function = member(item, "function")) {
      call.name += json_string(*function, "name").value_or("");
      call.arguments += json_string(*function, "arguments").value_or("");
    }
    if (call.arguments.size() > kTextBytesMax) return garbage("over 4 MiB of arguments");
  }
  return {};
}

Status AnswerBuilder::finish(const std::string& reason) {
  finished_ = true;
  if (reason == "content_filter") {
    return Error{Code::kModelFailed, "the provider's content filter stopped the answer"};
  }
  answer_.finish = reason == "length"                                    ? Finish::kLength
                   : reason == "tool_calls" || reason == "function_call" ? Finish::kToolCalls
                                                                         : Finish::kStop;
  return {};
}

Generated AnswerBuilder::take() {
  for (auto& [index, call] : calls_) answer_.tool_calls.push_back(std::move(call));
  calls_.clear();
  return std::move(answer_);
}

Result<Embeddings> parse_embeddings(const Json& answer, std::size_t count) {
  const Json* data = member(answer, "data");
  if (data == nullptr || !data->is_array() || data->size() != count) {
    return garbage("data does not hold one embedding a text");
  }
  Embeddings embeddings(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Json& item = (*data)[i];
    const auto index = static_cast<std::size_t>(
        json_integer(item, "index").value_or(static_cast<std::int64_t>(i)));
    const Json* numbers = member(item, "embedding");
    if (index >= count || numbers == nullptr) return garbage("an embedding is missing");
    QIAO_ASSIGN(embeddings[index], unit_vector(*numbers));
  }
  for (const auto& embedding : embeddings) {
    if (embedding.size() != embeddings.front().size() || embedding.empty()) {
      return garbage("the embeddings have different lengths");
    }
  }
  return embeddings;
}

std::string error_text(std::string_view body) {
  if (const Result<Json> json = parse_json(body)) {
    const Json* error = member(*json, "error");
    if (error != nullptr) {
      if (const auto text = json_string(*error, "message")) {
        return text->substr(0, kErrorTextBytesMax);
      }
      if (error->is_string()) return error->get<std::string>().substr(0, kErrorTextBytesMax);
    }
  }
  return std::string(body.substr(0, kErrorTextBytesMax));
}

bool out_of_credit(std::string_view body) {
  const Result<Json> json = parse_json(body);
  const Json* error = json ? member(*json, "error") : nullptr;
  return error != nullptr && (json_string(*error, "code") == "insufficient_quota" ||
                              json_string(*error, "type") == "insufficient_quota");
}

}  // namespace qiao::model
