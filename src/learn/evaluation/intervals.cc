// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/intervals.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace qiao::learn {

Interval bootstrap(std::size_t rows, const Figure& figure, std::uint64_t seed) {
  constexpr double kOutside = 0.025;  // at each end
  Rng rng(seed);
  std::vector<double> figures;
  std::vector<std::size_t> drawn(rows);
  for (int i = 0; i < kResamples; ++i) {
    for (std::size_t& row : drawn) row = rng.below(rows);
    figures.push_back(figure(drawn));
  }
  return {percentile(figures, kOutside), percentile(figures, 1 - kOutside)};
}

double mcnemar(std::size_t first_alone_right, std::size_t second_alone_right) {
  const double all = static_cast<double>(first_alone_right + second_alone_right);
  const std::size_t fewer = std::min(first_alone_right, second_alone_right);
  double tail = 0;  // of the binomial distribution with one half
  for (std::size_t k = 0; k <= fewer; ++k) {
    const double count = static_cast<double>(k);
    tail += std::exp(std::lgamma(all + 1) - std::lgamma(count + 1) - std::lgamma(all - count + 1) -
                     all * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

double percentile(std::vector<double> values, double share) {
  const double place = std::ceil(share * static_cast<double>(values.size())) - 1;
  const auto at =
      std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(place), 0, std::ssize(values) - 1);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace qiao::learn
