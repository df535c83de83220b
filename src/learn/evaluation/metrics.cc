// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

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

double macro_f1(const std::vector<Classified>& rows, std::size_t labels) {
  struct Count {
    std::size_t expected = 0, given = 0, right = 0;
  };
  std::vector<Count> counts(labels);
  for (const Classified& row : rows) {
    if (row.expected >= 0) ++counts[static_cast<std::size_t>(row.expected)].expected;
    ++counts[static_cast<std::size_t>(row.given)].given;
    if (row.expected == row.given) ++counts[static_cast<std::size_t>(row.given)].right;
  }
  double sum = 0;
  std::size_t occurring = 0;
  for (const Count& count : counts) {
    if (count.expected + count.given == 0) continue;
    ++occurring;
    sum += 2 * share(count.right, count.expected + count.given);
  }
  return occurring == 0 ? 0 : sum / static_cast<double>(occurring);
}

double calibration_error(const std::vector<Classified>& rows) {
  constexpr std::size_t kRanges = 10;
  struct Range {
    std::size_t rows = 0, right = 0;
    double confidence = 0;
  };
  std::array<Range, kRanges> ranges;
  for (const Classified& row : rows) {
    const auto at = static_cast<std::size_t>(std::clamp(row.confidence, 0.0, 1.0) * kRanges);
    Range& range = ranges[std::min(at, kRanges - 1)];
    ++range.rows;
    range.confidence += row.confidence;
    if (row.expected == row.given) ++range.right;
  }
  double error = 0;
  for (const Range& range : ranges) {
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

double EntityScore::f1() const {
  return 2 * share(right, expected + given);
}

}  // namespace qiao::learn
