// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/metrics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

namespace qiao::learn {
namespace {

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Σ (a - mean of a)·(b - mean of b).
double joint_spread(const std::vector<double>& a, const std::vector<double>& b) {
  const double mean_a = mean_of(a);
  const double mean_b = mean_of(b);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum;
}

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double spread = std::sqrt(joint_spread(a, a) * joint_spread(b, b));
  return spread > 0 ? joint_spread(a, b) / spread : 0;
}

// The place of each value among all, from 0; the mean of their places for equal ones.
std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) {
      ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
    }
    begin = end;
  }
  return ranks;
}

}  // namespace

RegressionScore regression_score(const std::vector<Regressed>& rows) {
  if (rows.empty()) return {};
  std::vector<double> expected;
  std::vector<double> given;
  RegressionScore score;
  double squares = 0;
  for (const Regressed& row : rows) {
    const double apart = row.given - row.expected;
    squares += apart * apart;
    score.mae += std::abs(apart);
    expected.push_back(row.expected);
    given.push_back(row.given);
  }
  const auto count = static_cast<double>(rows.size());
  const double spread = joint_spread(expected, expected);
  score.rmse = std::sqrt(squares / count);
  score.mae /= count;
  score.r2 = spread > 0 ? 1 - squares / spread : 0;
  score.pearson = correlation(expected, given);
  score.spearman = correlation(ranks_of(expected), ranks_of(given));
  return score;
}

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
