// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

namespace qiao {
namespace {

// Counts nesting outside strings, so that a hostile depth never reaches the recursive parser.
bool too_deep(std::string_view text, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > depth_max) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::size_t depth_max) {
  if (too_deep(text, depth_max)) {
    return invalid_argument("JSON is nested deeper than " + std::to_string(depth_max) + " levels");
  }
  try {
    return Json::parse(text);
  } catch (const Json::exception& fault) {
    std::string what = fault.what();
    if (const auto at = what.find("] "); at != std::string::npos) what.erase(0, at + 2);
    return invalid_argument("not JSON: " + what);
  }
}

std::string dump_json(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json error_json(const Error& error) {
  return Json{{"error",
               {{"code", name_of(error.code)},
                {"number", static_cast<int>(error.code)},
                {"message", error.message}}}};
}

std::optional<std::string> json_string(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

std::optional<double> json_number(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::optional<std::int64_t> json_integer(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return value->get<std::int64_t>();
}

std::optional<bool> json_bool(const Json& object, std::string_view key) {
  const Json* value = member(object, key);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

}  // namespace qiao
