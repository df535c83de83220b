// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <utility>

namespace qiao::learn {
namespace {

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double accuracy(const std::vector<Classified>& rows) {
  const auto right = std::count_if(rows.begin(), rows.end(),
                                   [](const auto& row) { return row.expected == row.given; });
  return share(static_cast<std::size_t>(right), rows.size());
}

double LabelScore::precision() const {
  return share(right, given);
}
double LabelScore::recall() const {
  return share(right, expected);
}
double LabelScore::f1() const {
  return 2 * share(right, expected + given);
}

std::vector<LabelScore> label_scores(const std::vector<Classified>& rows, std::size_t labels) {
  std::vector<LabelScore> scores(labels);
  for (const Classified& row : rows) {
    if (row.expected >= 0) ++scores[static_cast<std::size_t>(row.expected)].expected;
    ++scores[static_cast<std::size_t>(row.given)].given;
    if (row.expected == row.given) ++scores[static_cast<std::size_t>(row.given)].right;
  }
  return scores;
}

double macro_f1(const std::vector<Classified>& rows, std::size_t labels) {
  double sum = 0;
  std::size_t occurring = 0;
  for (const LabelScore& score : label_scores(rows, labels)) {
    if (score.expected + score.given == 0) continue;
    ++occurring;
    sum += score.f1();
  }
  return occurring == 0 ? 0 : sum / static_cast<double>(occurring);
}

std::vector<Confused> confused_pairs(const std::vector<Classified>& rows) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> counts;
  for (const Classified& row : rows) {
    if (row.expected != row.given) ++counts[{row.expected, row.given}];
  }
  std::vector<Confused> pairs;
  for (const auto& [pair, count] : counts) pairs.push_back({pair.first, pair.second, count});
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Confused& a, const Confused& b) { return a.rows > b.rows; });
  return pairs;
}

std::array<ConfidenceRange, kConfidenceRanges> confidence_ranges(
    const std::vector<Classified>& rows) {
  std::array<ConfidenceRange, kConfidenceRanges> ranges;
  for (const Classified& row : rows) {
    const auto at = static_cast<std::size_t>(std::clamp(row.confidence, 0.0, 1.0) *
                                             static_cast<double>(kConfidenceRanges));
    ConfidenceRange& range = ranges[std::min(at, kConfidenceRanges - 1)];
    ++range.rows;
    range.confidence += row.confidence;
    if (row.expected == row.given) ++range.right;
  }
  return ranges;
}

double calibration_error(const std::vector<Classified>& rows) {
  double error = 0;
  for (const ConfidenceRange& range : confidence_ranges(rows)) {
    error += std::abs(range.confidence - static_cast<double>(range.right));
  }
  return rows.empty() ? 0 : error / static_cast<double>(rows.size());
}

std::vector<Entity> entities_of(const std::vector<std::string>& tags) {
  std::vector<Entity> entities;
  bool open = false;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const std::string_view tag = tags[i];
    if (tag.size() < 3) {  // O
      open = false;
      continue;
    }
    const std::string_view kind = tag.substr(2);
    if (open && tag[0] == 'I' && entities.back().kind == kind) {
      entities.back().end = i + 1;
      continue;
    }
    entities.push_back({std::string(kind), i, i + 1});
    open = true;
  }
  return entities;
}

void EntityScore::add(const std::vector<std::string>& expected_tags,
                      const std::vector<std::string>& given_tags) {
  const std::vector<Entity> wanted = entities_of(expected_tags);
  const std::vector<Entity> found = entities_of(given_tags);
  expected += wanted.size();
  given += found.size();
  for (const Entity& entity : found) {
    if (std::find(wanted.begin(), wanted.end(), entity) != wanted.end()) ++right;
  }
}

EntityScore& EntityScore::operator+=(const EntityScore& other) {
  expected += other.expected;
  given += other.given;
  right += other.right;
  return *this;
}

double EntityScore::f1() const {
  return 2 * share(right, expected + given);
}

}  // namespace qiao::learn
