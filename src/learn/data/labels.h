// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "learn/data/rows.h"

namespace qiao::learn {

inline constexpr std::size_t kLabelsMax = 10'000;

// The labels (or tags) a model knows, in the order of its outputs. Immutable, thread-safe.
class Labels {
 public:
  // Requires: names differ.
  explicit Labels(std::vector<std::string> names);
  // Every label of `rows`, sorted; for tags `O` comes first, and an `I-x` brings its `B-x`; of a
  // regression kNumberLabel.
  static Result<Labels> of_rows(const RowFile& file, Task task);

  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // -1 when unknown.
  [[nodiscard]] std::int64_t find(const std::string& name) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::int64_t> ids_;
};

// Rows of `file` whose label is not among `labels`, and what to tell about the first of them.
struct UnknownLabels {
  std::size_t rows = 0;
  std::string first;  // file, line and label; "" when there is none
};
UnknownLabels find_unknown(const RowFile& file, const Labels& labels);

}  // namespace qiao::learn
