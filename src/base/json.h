// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace qiao {

// Objects keep the order in which their keys were written.
using Json = nlohmann::ordered_json;

inline constexpr std::size_t kJsonDepthMax = 64;

// Parses one JSON text (RFC 8259). Errors (invalid_argument) name the byte and the reason;
// nesting past `depth_max`, invalid UTF-8 and trailing bytes are errors. Thread-safe.
Result<Json> parse_json(std::string_view text, std::size_t depth_max = kJsonDepthMax);

// One line, UTF-8; bytes that are not UTF-8 become U+FFFD. Never throws.
std::string dump_json(const Json& json, int indent = -1);

// {"error":{"code","number","message"}}: how every program tells an error where JSON is wanted.
Json error_json(const Error& error);

// Typed look-ups that never throw: the value of `key`, or nothing when it is absent or of
// another type.
std::optional<std::string> json_string(const Json& object, std::string_view key);
std::optional<double> json_number(const Json& object, std::string_view key);
std::optional<std::int64_t> json_integer(const Json& object, std::string_view key);
std::optional<bool> json_bool(const Json& object, std::string_view key);

}  // namespace qiao
