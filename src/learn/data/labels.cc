// SPDX-License-Identifier: Apache-2.0
#include "learn/data/labels.h"

#include <algorithm>
#include <set>
#include <utility>

namespace qiao::learn {

Labels::Labels(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    ids_.emplace(names_[i], static_cast<std::int64_t>(i));
  }
}

Result<Labels> Labels::of_rows(const RowFile& file, Task task) {
  if (task == Task::kRegress) {
    const auto differs = [&](const Row& row) { return row.number != file.rows.front().number; };
    if (std::any_of(file.rows.begin(), file.rows.end(), differs)) return Labels({kNumberLabel});
    return invalid_argument(file.path + " has one number only: there is nothing to learn");
  }
  std::set<std::string> seen;
  for (const Row& row : file.rows) {
    if (task != Task::kTag) seen.insert(row.label);
    for (const std::string& tag : row.tags) {
      if (tag == "O") continue;
      seen.insert(tag);
      seen.insert(std::string("B-").append(tag, 2));
    }
  }
  std::vector<std::string> names(seen.begin(), seen.end());
  if (task == Task::kTag) names.insert(names.begin(), "O");
  if (names.size() < 2) {
    return invalid_argument(file.path + " has one label only: there is nothing to learn");
  }
  if (names.size() > kLabelsMax) return invalid_argument(file.path + " has too many labels");
  return Labels(std::move(names));
}

std::int64_t Labels::find(const std::string& name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? -1 : found->second;
}

UnknownLabels find_unknown(const RowFile& file, const Labels& labels) {
  UnknownLabels unknown;
  for (const Row& row : file.rows) {
    const std::string* missing = nullptr;
    if (row.tags.empty() && labels.find(row.label) < 0) missing = &row.label;
    for (const std::string& tag : row.tags) {
      if (labels.find(tag) < 0) missing = &tag;
    }
    if (missing == nullptr) continue;
    if (unknown.rows++ > 0) continue;
    unknown.first = file.path + ":" + std::to_string(row.line) + ": \"" + *missing + "\"";
  }
  return unknown;
}

}  // namespace qiao::learn
