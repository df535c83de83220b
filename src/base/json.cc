// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

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

// A key that stands again keeps its first place and takes the later value.
void fold_repeats(Json::object_t& object) {
  constexpr std::size_t kFew = 32;  // up to here looking through them all is faster
  Json::object_t::Container& entries = object;
  std::unordered_map<std::string_view, std::size_t> places;
  std::vector<bool> repeats(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::size_t first = 0;
    if (entries.size() > kFew) {
      first = places.emplace(entries[i].first, i).first->second;
    } else {
      while (entries[first].first != entries[i].first) ++first;
    }
    if (first == i) continue;
    entries[first].second = std::move(entries[i].second);
    repeats[i] = true;
  }
  if (std::find(repeats.begin(), repeats.end(), true) == repeats.end()) return;
  Json::object_t::Container kept;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!repeats[i]) kept.emplace_back(entries[i].first, std::move(entries[i].second));
  }
  entries.swap(kept);
}

// Builds what Json::parse() builds. That one looks through all keys of an object for each new one:
// two minutes for the vocabulary of a language model, and for a hostile request.
class JsonBuilder {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  bool null() { return put(Json()); }
  bool boolean(bool value) { return put(Json(value)); }
  bool number_integer(number_integer_t value) { return put(Json(value)); }
  bool number_unsigned(number_unsigned_t value) { return put(Json(value)); }
  bool number_float(number_float_t value, const string_t& /*text*/) { return put(Json(value)); }
  bool string(string_t& value) { return put(Json(std::move(value))); }
  bool binary(binary_t& /*value*/) { return false; }
  bool start_object(std::size_t /*size*/) { return open(Json::object()); }
  bool start_array(std::size_t /*size*/) { return open(Json::array()); }
  bool key(string_t& name) {
    key_ = std::move(name);
    return true;
  }
  bool end_object() {
    fold_repeats(open_.back()->get_ref<Json::object_t&>());
    return end_array();
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const Json::exception& fault) {
    fault_ = fault.what();
    return false;
  }

  Json take() { return std::move(root_); }
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  bool put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      newest_ = &root_;
    } else if (open_.back()->is_array()) {
      newest_ = &open_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    } else {
      auto& object = open_.back()->get_ref<Json::object_t&>();
      newest_ = &object.Container::emplace_back(std::move(key_), std::move(value)).second;
    }
    return true;
  }
  bool open(Json value) {
    put(std::move(value));
    open_.push_back(newest_);
    return true;
  }

  Json root_;
  Json* newest_ = nullptr;
  std::vector<Json*> open_;  // each stands in the one before, which grows only when it is closed
  std::string key_;
  std::string fault_;
};

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
  JsonBuilder builder;
  if (Json::sax_parse(text, &builder)) return builder.take();
  std::string what = builder.fault();
  if (const auto at = what.find("] "); at != std::string::npos) what.erase(0, at + 2);
  return invalid_argument("not JSON: " + what);
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
