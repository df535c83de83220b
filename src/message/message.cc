// SPDX-License-Identifier: Apache-2.0
#include "message/message.h"

#include <array>

#include "base/base64.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::string_view kKinds[] = {"text", "json", "image", "audio", "file"};

bool textual(const Part& part) {
  return part.kind == Part::Kind::kText || part.kind == Part::Kind::kJson;
}

Json part_to_json(const Part& part) {
  Json json{{"kind", kKinds[static_cast<std::size_t>(part.kind)]}};
  if (!part.media_type.empty()) json["media_type"] = part.media_type;
  if (part.kind == Part::Kind::kText) {
    json["text"] = part.data;
  } else if (part.kind == Part::Kind::kJson) {
    const Result<Json> value = parse_json(part.data);
    json["json"] = value ? *value : Json(part.data);
  } else {
    json["data"] = to_base64(part.data);
  }
  return json;
}

Result<Part> part_from_json(const Json& json) {
  Part part;
  const std::string kind = json_string(json, "kind").value_or("text");
  std::size_t index = 0;
  while (index < std::size(kKinds) && kKinds[index] != kind) ++index;
  if (index == std::size(kKinds))
    return invalid_argument("a part's 'kind' is none of text, json, image, audio, file");
  part.kind = static_cast<Part::Kind>(index);
  part.media_type = json_string(json, "media_type").value_or("");
  if (part.kind == Part::Kind::kText) {
    const auto text = json_string(json, "text");
    if (!text) return invalid_argument("a text part needs 'text'");
    part.data = *text;
  } else if (part.kind == Part::Kind::kJson) {
    if (!json.contains("json")) return invalid_argument("a json part needs 'json'");
    part.data = dump_json(json["json"]);
  } else {
    const auto data = json_string(json, "data");
    if (!data) return invalid_argument("a " + kind + " part needs 'data' in base64");
    Result<std::string> bytes = from_base64(*data);
    if (!bytes) return std::move(bytes.error()).with("'data' of a part");
    part.data = std::move(*bytes);
  }
  return part;
}

// Reads optional fields one by one; the first of the wrong type is the fault.
class FieldReader {
 public:
  explicit FieldReader(const Json& json) : json_(json) {}
  void text(std::string_view key, std::string& out) {
    if (!present(key)) return;
    if (auto value = json_string(json_, key)) {
      out = std::move(*value);
    } else {
      fail(key, "a string");
    }
  }
  template <class T>
  void integer(std::string_view key, T& out, std::int64_t least, std::int64_t most) {
    if (!present(key)) return;
    const auto value = json_integer(json_, key);
    if (value && *value >= least && *value <= most) {
      out = static_cast<T>(*value);
    } else {
      fail(key, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
    }
  }
  bool present(std::string_view key) const {
    const auto found = json_.find(key);
    return found != json_.end() && !found->is_null();
  }
  void fail(std::string_view key, const std::string& want) {
    if (fault_.empty()) fault_ = "'" + std::string(key) + "' must be " + want;
  }
  Status finish() const {
    if (!fault_.empty()) return invalid_argument(fault_);
    return {};
  }

 private:
  const Json& json_;
  std::string fault_;
};

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Status read_headers(const Json& json, Message& message) {
  if (!json.contains("headers") || json["headers"].is_null()) return {};
  const Json& headers = json["headers"];
  if (!headers.is_object()) return invalid_argument("'headers' must be an object of strings");
  for (const auto& [name, value] : headers.items()) {
    if (!value.is_string()) return invalid_argument("header '" + name + "' must be a string");
    message.headers[lower(name)] = value.get<std::string>();
  }
  return {};
}

Status read_parts(const Json& json, Message& message) {
  const bool has_text = json.contains("text") && !json["text"].is_null();
  const bool has_parts = json.contains("parts") && !json["parts"].is_null();
  if (has_text && has_parts) return invalid_argument("give 'text' or 'parts', not both");
  if (has_text) {
    if (!json["text"].is_string()) return invalid_argument("'text' must be a string");
    message.parts.push_back({Part::Kind::kText, "", json["text"].get<std::string>()});
    return {};
  }
  if (!has_parts) return {};
  if (!json["parts"].is_array()) return invalid_argument("'parts' must be a list");
  for (const Json& item : json["parts"]) {
    QIAO_ASSIGN(Part part, part_from_json(item));
    message.parts.push_back(std::move(part));
  }
  return {};
}

Status read_budget(const Json& json, Budget& budget) {
  if (!json.contains("budget") || json["budget"].is_null()) return {};
  if (!json["budget"].is_object()) return invalid_argument("'budget' must be an object");
  FieldReader fields(json["budget"]);
  fields.integer("hops", budget.hops, -1, INT32_MAX);
  fields.integer("tokens", budget.tokens, -1, INT64_MAX);
  fields.integer("wall_ms", budget.wall_ms, -1, INT64_MAX);
  fields.integer("calls", budget.calls, -1, INT32_MAX);
  fields.integer("cost_micro", budget.cost_micro, -1, INT64_MAX);
  fields.integer("messages", budget.messages, -1, INT32_MAX);
  return fields.finish();
}

Status read_chain(const Json& json, std::vector<std::string>& chain) {
  if (!json.contains("chain") || json["chain"].is_null()) return {};
  if (!json["chain"].is_array()) return invalid_argument("'chain' must be a list of strings");
  for (const Json& name : json["chain"]) {
    if (!name.is_string()) return invalid_argument("'chain' must be a list of strings");
    chain.push_back(name.get<std::string>());
  }
  return {};
}

Status check_name(std::string_view field, std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    return invalid_argument(std::string(field) + " is longer than " + std::to_string(bytes_max) +
                            " bytes");
  }
  if (!valid_utf8(text)) return invalid_argument(std::string(field) + " is not UTF-8");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20)
      return invalid_argument(std::string(field) + " has a control character");
  }
  return {};
}

}  // namespace

std::string Message::text() const {
  std::string out;
  for (const Part& part : parts) {
    if (part.kind != Part::Kind::kText) continue;
    if (!out.empty()) out += '\n';
    out += part.data;
  }
  return out;
}

Message text_message(std::string subject, std::string text, std::string conversation) {
  Message message;
  message.subject = std::move(subject);
  message.conversation = std::move(conversation);
  message.parts.push_back({Part::Kind::kText, "", std::move(text)});
  return message;
}

Status validate(const Message& message) {
  QIAO_TRY(validate_subject(message.subject));
  if (!message.reply_to.empty()) QIAO_TRY(validate_subject(message.reply_to));
  QIAO_TRY(check_name("id", message.id, kIdBytesMax));
  QIAO_TRY(check_name("conversation", message.conversation, kIdBytesMax));
  QIAO_TRY(check_name("correlation", message.correlation, kIdBytesMax));
  QIAO_TRY(check_name("cause", message.cause, kIdBytesMax));
  QIAO_TRY(check_name("source", message.source, kIdBytesMax));
  QIAO_TRY(check_name("key", message.key, kIdBytesMax));
  if (message.chain.size() > kChainMax)
    return invalid_argument("'chain' has more than " + std::to_string(kChainMax) + " names");
  for (const std::string& name : message.chain) QIAO_TRY(check_name("chain", name, kIdBytesMax));
  if (message.priority > 9) return invalid_argument("priority is 0 to 9");
  if (message.parts.size() > kPartsMax)
    return invalid_argument("more than " + std::to_string(kPartsMax) + " parts");
  if (message.headers.size() > kHeadersMax)
    return invalid_argument("more than " + std::to_string(kHeadersMax) + " headers");
  std::size_t bytes = 0;
  for (const auto& [name, value] : message.headers) {
    QIAO_TRY(check_name("a header's name", name, 256));
    if (!valid_utf8(value)) return invalid_argument("header '" + name + "' is not UTF-8");
    bytes += name.size() + value.size();
  }
  for (const Part& part : message.parts) {
    if (textual(part) && !valid_utf8(part.data))
      return invalid_argument("a text part is not UTF-8");
    bytes += part.data.size() + part.media_type.size();
  }
  if (bytes > kMessageBytesMax) {
    return invalid_argument("the message has " + std::to_string(bytes) + " bytes; at most " +
                            std::to_string(kMessageBytesMax) + " are allowed");
  }
  return {};
}

Json to_json(const Message& message) {
  Json json;
  json["id"] = message.id;
  json["subject"] = message.subject;
  const auto put = [&json](const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
  };
  put("conversation", message.conversation);
  const bool plain = message.parts.size() == 1 && message.parts[0].kind == Part::Kind::kText &&
                     message.parts[0].media_type.empty();
  if (plain) {
    json["text"] = message.parts[0].data;
  } else {
    json["parts"] = Json::array();
    for (const Part& part : message.parts) json["parts"].push_back(part_to_json(part));
  }
  if (!message.headers.empty()) json["headers"] = message.headers;
  put("reply_to", message.reply_to);
  put("correlation", message.correlation);
  put("cause", message.cause);
  put("source", message.source);
  json["time_ms"] = message.time_ms;
  if (message.deadline_ms != 0) json["deadline_ms"] = message.deadline_ms;
  if (message.deliver_at_ms != 0) json["deliver_at_ms"] = message.deliver_at_ms;
  put("key", message.key);
  if (!message.chain.empty()) json["chain"] = message.chain;
  if (message.priority != 4) json["priority"] = message.priority;
  if (message.budget != Budget{}) {
    json["budget"] = {{"hops", message.budget.hops},
                      {"tokens", message.budget.tokens},
                      {"wall_ms", message.budget.wall_ms},
                      {"calls", message.budget.calls},
                      {"cost_micro", message.budget.cost_micro},
                      {"messages", message.budget.messages}};
  }
  return json;
}

Result<Message> message_from_json(const Json& json) {
  if (!json.is_object()) return invalid_argument("a message must be a JSON object");
  Message message;
  FieldReader fields(json);
  fields.text("id", message.id);
  fields.text("subject", message.subject);
  fields.text("conversation", message.conversation);
  fields.text("reply_to", message.reply_to);
  fields.text("correlation", message.correlation);
  fields.text("cause", message.cause);
  fields.text("source", message.source);
  fields.integer("time_ms", message.time_ms, 0, INT64_MAX);
  fields.integer("deadline_ms", message.deadline_ms, 0, INT64_MAX);
  fields.integer("deliver_at_ms", message.deliver_at_ms, 0, INT64_MAX);
  fields.text("key", message.key);
  fields.integer("priority", message.priority, 0, 9);
  QIAO_TRY(fields.finish());
  QIAO_TRY(read_headers(json, message));
  QIAO_TRY(read_parts(json, message));
  QIAO_TRY(read_chain(json, message.chain));
  QIAO_TRY(read_budget(json, message.budget));
  return message;
}

// The well-formed sequences of RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
bool valid_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    if (*p < 0x80) {
      ++p;
      continue;
    }
    const int length = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || end - p < length) return false;
    for (int i = 1; i < length; ++i) {
      if ((p[i] & 0xc0) != 0x80) return false;
    }
    const bool bad_second = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
                            (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f);
    if (bad_second) return false;
    p += length;
  }
  return true;
}

}  // namespace qiao
