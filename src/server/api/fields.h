// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "base/result.h"

namespace qiao::server {

// Reads the fields of a JSON object one by one and keeps the first fault: a wrong type, a value
// out of its range, and at finish() a key that nobody asked for, with the nearest known one.
// null counts as absent. One thread.
class Fields {
 public:
  explicit Fields(const Json& object);

  std::optional<std::string> text(std::string_view key);
  std::string needed_text(std::string_view key);  // a fault when absent or empty
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<double> number(std::string_view key, double least, double most);
  std::optional<bool> flag(std::string_view key);
  const Json* any(std::string_view key);
  const Json* list(std::string_view key);
  void known(std::initializer_list<std::string_view> keys);  // allowed, but not read here

  void fault(std::string message);
  Status finish() const;

 private:
  const Json* find(std::string_view key);

  const Json& object_;
  std::vector<std::string> asked_;
  std::string fault_;
};

// The same for the query of an address; values are decimal numbers or text.
class Query {
 public:
  explicit Query(const std::map<std::string, std::string>& query) : query_(query) {}

  std::optional<std::string> text(std::string_view key);
  std::optional<std::uint64_t> integer(std::string_view key, std::uint64_t least,
                                       std::uint64_t most);
  Status finish() const;

 private:
  const std::map<std::string, std::string>& query_;
  std::vector<std::string> asked_;
  std::string fault_;
};

// `?lang=`, of a query that has no other key: English unless it says zh.
Result<Language> asked_language(const std::map<std::string, std::string>& query);

// The body as a JSON object; "" counts as {}.
Result<Json> object_body(std::string_view body);

}  // namespace qiao::server
