// SPDX-License-Identifier: Apache-2.0
#include "flow/config/checked_reader.h"

#include <algorithm>

#include "base/join.h"

namespace qiao::flow {
namespace {

std::string shortest(double number) {
  std::string digits = std::to_string(number);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

std::string must_be(std::string_view key, const std::string& low, const std::string& high) {
  return std::string(key) + " must be between " + low + " and " + high;
}

}  // namespace

bool is_map(const YamlNode& node, std::string_view what, Faults& faults) {
  if (node.kind == YamlNode::Kind::kMap) return true;
  faults.at(node, std::string(what) + " is a map: { key: value, … }");
  return false;
}

bool is_known(const YamlNode& node, std::string_view what, const std::string& value,
              const std::vector<std::string>& known, Faults& faults) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return true;
  const auto near = nearest(value, known);
  faults.at(node, "unknown " + std::string(what) + " \"" + value + "\"" +
                      (near ? ", did you mean \"" + *near + "\"?" : "") +
                      " (known: " + join(known, ", ") + ")");
  return false;
}

const YamlNode& CheckedReader::place(std::string_view key) const {
  const YamlNode* at = node_.find(key);
  return at == nullptr ? node_ : *at;
}

std::int64_t CheckedReader::integer(std::string_view key, std::int64_t otherwise, std::int64_t low,
                                    std::int64_t high) {
  const auto value = get_integer(key);
  if (!value || (*value >= low && *value <= high)) return value.value_or(otherwise);
  faults_.at(place(key), must_be(key, std::to_string(low), std::to_string(high)));
  return otherwise;
}

std::size_t CheckedReader::count(std::string_view key, std::size_t otherwise, std::size_t low,
                                 std::size_t high) {
  return static_cast<std::size_t>(integer(key, static_cast<std::int64_t>(otherwise),
                                          static_cast<std::int64_t>(low),
                                          static_cast<std::int64_t>(high)));
}

double CheckedReader::number(std::string_view key, double otherwise, double low, double high) {
  const auto value = get_number(key);
  if (!value || (*value >= low && *value <= high)) return value.value_or(otherwise);
  faults_.at(place(key), must_be(key, shortest(low), shortest(high)));
  return otherwise;
}

std::int64_t CheckedReader::duration_ms(std::string_view key, std::int64_t otherwise,
                                        std::int64_t high) {
  const auto value = get_duration_ms(key);
  if (!value || (*value >= 0 && *value <= high)) return value.value_or(otherwise);
  faults_.at(place(key), must_be(key, "0", std::to_string(high) + "ms"));
  return otherwise;
}

std::vector<std::string> CheckedReader::texts(std::string_view key) {
  return get_strings(key).value_or(std::vector<std::string>{});
}

std::size_t CheckedReader::choice(std::string_view key, const std::vector<std::string>& known) {
  const auto value = get_string(key);
  if (!value || !is_known(place(key), key, *value, known, faults_)) return 0;
  return static_cast<std::size_t>(std::find(known.begin(), known.end(), *value) - known.begin());
}

}  // namespace qiao::flow
