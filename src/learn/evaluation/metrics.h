// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace qiao::learn {

// How well labels were told. `expected` -1: a label the model does not know, always wrong.
struct Classified {
  std::int64_t expected = -1;
  std::int64_t given = 0;
  double confidence = 0;  // the softmax of the given label
};

double accuracy(const std::vector<Classified>& rows);
// What became of one label.
struct LabelScore {
  std::size_t expected = 0;
  std::size_t given = 0;
  std::size_t right = 0;

  [[nodiscard]] double precision() const;  // 0 when it was never given
  [[nodiscard]] double recall() const;     // 0 when it was never expected
  [[nodiscard]] double f1() const;
};
std::vector<LabelScore> label_scores(const std::vector<Classified>& rows, std::size_t labels);

// Mean over the labels that occur (expected or given) of the harmonic mean of precision and recall.
double macro_f1(const std::vector<Classified>& rows, std::size_t labels);

// Rows that were told wrong in one way.
struct Confused {
  std::int64_t expected = 0;  // -1: a label the model does not know
  std::int64_t given = 0;
  std::size_t rows = 0;
};
// The most frequent first, then by their labels.
std::vector<Confused> confused_pairs(const std::vector<Classified>& rows);

// Rows by the confidence of the given label, in equal ranges from 0 to 1.
inline constexpr std::size_t kConfidenceRanges = 10;
struct ConfidenceRange {
  std::size_t rows = 0;
  std::size_t right = 0;
  double confidence = 0;  // their sum
};
std::array<ConfidenceRange, kConfidenceRanges> confidence_ranges(
    const std::vector<Classified>& rows);
// Expected calibration error (Guo et al. 2017) over these ranges.
double calibration_error(const std::vector<Classified>& rows);

// How well a number was told.
struct Regressed {
  double expected = 0;
  double given = 0;
};
struct RegressionScore {
  double rmse = 0;      // root of the mean squared error
  double mae = 0;       // mean absolute error
  double r2 = 0;        // share of the variance that is told: 1 - squared error / variance
  double pearson = 0;   // correlation
  double spearman = 0;  // that of the ranks; equal numbers share theirs
};
// What no spread defines is 0.
RegressionScore regression_score(const std::vector<Regressed>& rows);

// A named stretch of characters, [begin, end).
struct Entity {
  std::string kind;
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Entity&, const Entity&) = default;
};
// The entities of BIO tags; an `I-` after something else begins one, as conlleval reads it.
std::vector<Entity> entities_of(const std::vector<std::string>& tags);

// Counts of entities that are equal in kind, begin and end.
struct EntityScore {
  std::size_t expected = 0;
  std::size_t given = 0;
  std::size_t right = 0;

  void add(const std::vector<std::string>& expected_tags,
           const std::vector<std::string>& given_tags);
  EntityScore& operator+=(const EntityScore& other);
  [[nodiscard]] double f1() const;  // over all kinds together; 0 when there is no entity
};

}  // namespace qiao::learn
