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

struct LabelHead;

// The labels (or tags) a model knows, in the order of its outputs. Immutable, thread-safe.
class Labels {
 public:
  // Requires: names differ.
  explicit Labels(std::vector<std::string> names);
  // Of several heads, whose outputs stand behind one another. Requires: their names differ.
  static Labels of_heads(std::vector<LabelHead> heads);
  // Every label of `rows`, sorted; for tags `O` comes first, and an `I-x` brings its `B-x`; of a
  // regression kNumberLabel. Of several heads each has those of its own; the heads are sorted, too.
  static Result<Labels> of_rows(const RowFile& file, Task task);

  [[nodiscard]] std::size_t size() const { return names_.size(); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // -1 when unknown. Requires: one head.
  [[nodiscard]] std::int64_t find(const std::string& name) const;
  // Empty: there is one head, which has no name.
  [[nodiscard]] const std::vector<LabelHead>& heads() const { return heads_; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::int64_t> ids_;
  std::vector<LabelHead> heads_;
};

// One head among several.
struct LabelHead {
  std::string name;
  Labels labels;
  std::int64_t begin = 0;  // of its outputs among those of all heads; set by of_heads()
};

// invalid_argument, with file and line, for a row that has a label for a head that is not among
// `labels`.
Status check_heads(const RowFile& file, const Labels& labels);

// Rows of `file` whose label is not among `labels`, and what to tell about the first of them.
struct UnknownLabels {
  std::size_t rows = 0;
  std::string first;  // file, line and label; "" when there is none
};
UnknownLabels find_unknown(const RowFile& file, const Labels& labels);

// invalid_argument, with a few labels of each, when no label of `file` is among those of `whose`
// (`O` aside): then there is nothing to measure.
Status check_some_known(const RowFile& file, const Labels& labels, const std::string& whose);

}  // namespace qiao::learn
