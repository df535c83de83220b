// SPDX-License-Identifier: Apache-2.0
#include "server/api/fields.h"

#include <algorithm>
#include <charconv>

#include "base/yaml.h"

namespace qiao::server {
namespace {

std::string quoted(std::string_view key) {
  return "'" + std::string(key) + "'";
}

std::string unknown_key(const std::string& key, const std::vector<std::string>& known) {
  std::string message = "unknown key '" + key + "'";
  if (const auto near = nearest(key, known)) message += "; did you mean '" + *near + "'?";
  return message;
}

bool contains(const std::vector<std::string>& list, std::string_view key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

// A bound as a person writes it: 2, not 2.0.
template <class T>
std::string plain(T value) {
  const auto whole = static_cast<std::int64_t>(value);
  if (static_cast<T>(whole) == value) return std::to_string(whole);
  return dump_json(Json(value));
}

template <class T>
std::string range(T least, T most) {
  return " must be from " + plain(least) + " to " + plain(most);
}

}  // namespace

Fields::Fields(const Json& object) : object_(object) {
  if (!object.is_object()) fault("a JSON object is wanted");
}

const Json* Fields::find(std::string_view key) {
  asked_.emplace_back(key);
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Fields::text(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  fault(quoted(key) + " must be a string");
  return std::nullopt;
}

std::string Fields::needed_text(std::string_view key) {
  std::string value = text(key).value_or("");
  if (value.empty()) fault(quoted(key) + " is missing");
  return value;
}

std::optional<std::int64_t> Fields::integer(std::string_view key, std::int64_t least,
                                            std::int64_t most) {
  if (find(key) == nullptr) return std::nullopt;
  const auto value = json_integer(object_, key);
  if (value && *value >= least && *value <= most) return value;
  fault(quoted(key) + (value ? range(least, most) : " must be an integer"));
  return std::nullopt;
}

std::optional<double> Fields::number(std::string_view key, double least, double most) {
  if (find(key) == nullptr) return std::nullopt;
  const auto value = json_number(object_, key);
  if (value && *value >= least && *value <= most) return value;
  fault(quoted(key) + (value ? range(least, most) : " must be a number"));
  return std::nullopt;
}

std::optional<bool> Fields::flag(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  fault(quoted(key) + " must be true or false");
  return std::nullopt;
}

const Json* Fields::any(std::string_view key) {
  return find(key);
}

const Json* Fields::list(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr || value->is_array()) return value;
  fault(quoted(key) + " must be a list");
  return nullptr;
}

void Fields::known(std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) asked_.emplace_back(key);
}

void Fields::fault(std::string message) {
  if (fault_.empty()) fault_ = std::move(message);
}

Status Fields::finish() const {
  if (!fault_.empty()) return invalid_argument(fault_);
  for (const auto& [key, value] : object_.items()) {
    if (!contains(asked_, key)) return invalid_argument(unknown_key(key, asked_));
  }
  return {};
}

std::optional<std::string> Query::text(std::string_view key) {
  asked_.emplace_back(key);
  const auto found = query_.find(std::string(key));
  if (found == query_.end()) return std::nullopt;
  return found->second;
}

std::optional<std::uint64_t> Query::integer(std::string_view key, std::uint64_t least,
                                            std::uint64_t most) {
  const auto written = text(key);
  if (!written) return std::nullopt;
  std::uint64_t value = 0;
  const char* last = written->data() + written->size();
  const auto [end, wrong] = std::from_chars(written->data(), last, value);
  if (wrong == std::errc{} && end == last && value >= least && value <= most) return value;
  if (fault_.empty()) fault_ = "query " + quoted(key) + range(least, most);
  return std::nullopt;
}

Status Query::finish() const {
  if (!fault_.empty()) return invalid_argument(fault_);
  for (const auto& [key, value] : query_) {
    if (!contains(asked_, key)) return invalid_argument("query: " + unknown_key(key, asked_));
  }
  return {};
}

Result<Language> asked_language(const std::map<std::string, std::string>& query) {
  Query fields(query);
  const std::string lang = fields.text("lang").value_or("");
  QIAO_TRY(fields.finish());
  if (lang == "zh") return Language::kChinese;
  if (lang.empty() || lang == "en") return Language::kEnglish;
  return invalid_argument("query 'lang' is en or zh");
}

Result<Json> object_body(std::string_view body) {
  if (body.empty()) return Json(Json::object());
  QIAO_ASSIGN(Json json, parse_json(body));
  if (!json.is_object()) return invalid_argument("the body must be a JSON object");
  return json;
}

}  // namespace qiao::server
