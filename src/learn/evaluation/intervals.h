// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace qiao::learn {

inline constexpr int kResamples = 1000;

// Where a figure lies with 95 % confidence.
struct Interval {
  double low = 0;
  double high = 0;
};

// A figure of some rows, by their numbers; a row may stand there more than once.
using Figure = std::function<double(const std::vector<std::size_t>& rows)>;

// The interval of `figure` by the percentiles of kResamples samples drawn with putting back (Efron
// 1979). The same for the same seed. Give a difference of two figures of the same rows to compare
// two models. Requires: rows > 0.
Interval bootstrap(std::size_t rows, const Figure& figure, std::uint64_t seed);

// The exact test of McNemar (1947): the probability, were both models equally good, that the rows
// on which one alone is right divide so unevenly or more. 1 when there is no such row.
double mcnemar(std::size_t first_alone_right, std::size_t second_alone_right);

// The value that `share` (0 to 1) of the values lie at or below. Requires: not empty.
double percentile(std::vector<double> values, double share);

}  // namespace qiao::learn
