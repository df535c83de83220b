// SPDX-License-Identifier: Apache-2.0
#include "learn/data/labels.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/join.h"

namespace qiao::learn {
namespace {

constexpr const char* kOutsideTag = "O";  // the tag of what is in no entity

Error one_label_only(const std::string& what) {
  return invalid_argument(what + " has one label only: there is nothing to learn");
}

// The first of them, for an error.
std::string a_few(const std::set<std::string>& names) {
  constexpr std::size_t kShown = 5;
  std::string out;
  std::size_t shown = 0;
  for (const std::string& name : names) {
    if (shown == kShown) return out + ", …";
    out += (shown++ == 0 ? "\"" : ", \"") + name + "\"";
  }
  return out;
}

Result<Labels> heads_of_rows(const RowFile& file) {
  std::map<std::string, std::set<std::string>> seen;
  for (const Row& row : file.rows) {
    for (const auto& [head, label] : row.labels) seen[head].insert(label);
  }
  std::vector<LabelHead> heads;
  std::size_t outputs = 0;
  for (const auto& [head, labels] : seen) {
    if (labels.size() < 2) return one_label_only(file.path + ": the head \"" + head + "\"");
    outputs += labels.size();
    heads.push_back({head, Labels(std::vector<std::string>(labels.begin(), labels.end()))});
  }
  if (outputs > kLabelsMax) return invalid_argument(file.path + " has too many labels");
  return Labels::of_heads(std::move(heads));
}

}  // namespace

Labels::Labels(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    ids_.emplace(names_[i], static_cast<std::int64_t>(i));
  }
}

Labels Labels::of_heads(std::vector<LabelHead> heads) {
  Labels out{std::vector<std::string>()};
  for (LabelHead& head : heads) {
    const std::vector<std::string>& own = head.labels.names();
    head.begin = static_cast<std::int64_t>(out.names_.size());
    out.names_.insert(out.names_.end(), own.begin(), own.end());
  }
  out.heads_ = std::move(heads);
  return out;
}

Result<Labels> Labels::of_rows(const RowFile& file, Task task) {
  if (task == Task::kHeads) return heads_of_rows(file);
  if (task == Task::kRegress) {
    const auto differs = [&](const Row& row) { return row.number != file.rows.front().number; };
    if (std::any_of(file.rows.begin(), file.rows.end(), differs)) return Labels({kNumberLabel});
    return invalid_argument(file.path + " has one number only: there is nothing to learn");
  }
  std::set<std::string> seen;
  for (const Row& row : file.rows) {
    if (task != Task::kTag) seen.insert(row.label);
    for (const std::string& tag : row.tags) {
      if (tag == kOutsideTag) continue;
      seen.insert(tag);
      seen.insert(std::string("B-").append(tag, 2));
    }
  }
  std::vector<std::string> names(seen.begin(), seen.end());
  if (task == Task::kTag) names.insert(names.begin(), kOutsideTag);
  if (names.size() < 2) return one_label_only(file.path);
  if (names.size() > kLabelsMax) return invalid_argument(file.path + " has too many labels");
  return Labels(std::move(names));
}

std::int64_t Labels::find(const std::string& name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? -1 : found->second;
}

Status check_heads(const RowFile& file, const Labels& labels) {
  std::set<std::string> known;
  for (const LabelHead& head : labels.heads()) known.insert(head.name);
  for (const Row& row : file.rows) {
    for (const auto& [head, label] : row.labels) {
      if (known.contains(head)) continue;
      return invalid_argument(file.path + ":" + std::to_string(row.line) + ": there is no head \"" +
                              head + "\" among those that are learnt: " + join(known, ", "));
    }
  }
  return {};
}

Status check_some_known(const RowFile& file, const Labels& labels, const std::string& whose) {
  std::set<std::string> own(labels.names().begin(), labels.names().end());
  own.erase(kOutsideTag);
  std::set<std::string> seen;
  bool known = false;
  for (const Row& row : file.rows) {
    if (row.tags.empty() && row.labels.empty()) seen.insert(row.label);
    seen.insert(row.tags.begin(), row.tags.end());
    for (const LabelHead& head : labels.heads()) {
      const auto label = row.labels.find(head.name);
      if (label == row.labels.end()) continue;
      seen.insert(label->second);
      known = known || head.labels.find(label->second) >= 0;
    }
  }
  seen.erase(kOutsideTag);
  if (labels.heads().empty()) {
    known = std::any_of(seen.begin(), seen.end(),
                        [&](const std::string& label) { return own.contains(label); });
  }
  if (known || seen.empty()) return {};
  return invalid_argument("no label of " + file.path + " (" + a_few(seen) + ") is one of " + whose +
                          " (" + a_few(own) + ")");
}

UnknownLabels find_unknown(const RowFile& file, const Labels& labels) {
  UnknownLabels unknown;
  for (const Row& row : file.rows) {
    const std::string* missing = nullptr;
    if (row.tags.empty() && row.labels.empty() && labels.find(row.label) < 0) missing = &row.label;
    for (const LabelHead& head : labels.heads()) {
      const auto label = row.labels.find(head.name);
      if (label != row.labels.end() && head.labels.find(label->second) < 0)
        missing = &label->second;
    }
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
