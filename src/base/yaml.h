// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao {

struct YamlEntry;

// One node of a YAML document with the place it was written, as plain values.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;  // a quoted scalar is a string even when it reads like a number
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  // in written order
  std::string file;
  int line = 0;      // from 1
  int key_line = 0;  // of the key this is the value of; 0: of none
  int column = 0;

  // The entry of `key`, or nullptr.
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
  // "flow.yaml:12: "
  [[nodiscard]] std::string where() const;
  [[nodiscard]] std::string key_where() const;  // of its key
  [[nodiscard]] Json to_json() const;
};

struct YamlEntry {
  std::string key;
  YamlNode value;
};

// Limits against bombs: a document past one is refused with its place.
inline constexpr std::size_t kYamlBytesMax = 4 << 20;
inline constexpr std::size_t kYamlNodesMax = 200'000;  // after aliases are followed
inline constexpr std::size_t kYamlDepthMax = 64;

Result<YamlNode> parse_yaml(std::string_view text, std::string file);
Result<YamlNode> load_yaml(const std::string& path);

// Reads a YAML map key by key and collects every fault: each get_* takes a key once, finish()
// adds one fault for each key never asked for, with the nearest known key. One thread.
class YamlReader {
 public:
  explicit YamlReader(const YamlNode& node);

  std::optional<std::string> get_string(std::string_view key);
  std::optional<std::int64_t> get_integer(std::string_view key);
  std::optional<double> get_number(std::string_view key);
  std::optional<bool> get_bool(std::string_view key);
  // "800ms", "4s", "30m", "2h" or a bare number of milliseconds.
  std::optional<std::int64_t> get_duration_ms(std::string_view key);
  // A list of strings; one scalar counts as a list of one.
  std::optional<std::vector<std::string>> get_strings(std::string_view key);
  const YamlNode* get_node(std::string_view key);

  // Adds a fault at `node`.
  void fault(const YamlNode& node, std::string message);
  void require(std::string_view key);  // a fault when `key` is absent
  // Folds in the faults of a reader of a nested map.
  void merge(YamlReader& nested);
  // All faults, one a line, as one invalid_argument; or success.
  Status finish();
  // As finish(), but keeps the faults here for merge() instead of returning them.
  void close();

 private:
  const YamlNode& node_;
  std::vector<std::string> asked_;
  std::vector<std::string> faults_;
  bool closed_ = false;
};

// The known word nearest to `word` by edit distance, if it is near enough to suggest.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace qiao
