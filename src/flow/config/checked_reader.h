// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.h"
#include "flow/config/faults.h"

namespace qiao::flow {

// A YamlReader of one map whose numbers have bounds and whose words are known: what is wrong goes
// to `faults` with its place, and `otherwise` is read instead. One thread.
class CheckedReader : public YamlReader {
 public:
  CheckedReader(const YamlNode& node, Faults& faults)
      : YamlReader(node), node_(node), faults_(faults) {}

  std::int64_t integer(std::string_view key, std::int64_t otherwise, std::int64_t low,
                       std::int64_t high);
  std::size_t count(std::string_view key, std::size_t otherwise, std::size_t low, std::size_t high);
  double number(std::string_view key, double otherwise, double low, double high);
  std::int64_t duration_ms(std::string_view key, std::int64_t otherwise, std::int64_t high);
  std::string text(std::string_view key) { return get_string(key).value_or(""); }
  std::vector<std::string> texts(std::string_view key);
  Localized localized(std::string_view key) { return read_localized(get_node(key), faults_); }
  // The place of `key` in `known`; 0 when it is not written or, with a fault, not among them.
  std::size_t choice(std::string_view key, const std::vector<std::string>& known);

  // Where `key` is written, else the map.
  [[nodiscard]] const YamlNode& place(std::string_view key) const;
  // Adds the faults of the reading: keys that are not known, values of another type.
  void close() { faults_.take(finish()); }

 private:
  const YamlNode& node_;
  Faults& faults_;
};

// Whether `node` is a map; a fault about `what` when it is not.
bool is_map(const YamlNode& node, std::string_view what, Faults& faults);
// A fault when `value` is not among `known`, with the nearest of them.
bool is_known(const YamlNode& node, std::string_view what, const std::string& value,
              const std::vector<std::string>& known, Faults& faults);

}  // namespace qiao::flow
