// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace qiao::learn::testing {

// BERT's arithmetic once more, in double precision and plain loops, after the papers alone
// (Vaswani et al. 2017; Devlin et al. 2019; GELU by tanh: Hendrycks and Gimpel 2016). It shares no
// line with the code under test.
using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;  // one row a token

inline Vector times(const Matrix& weight, const Vector& x, const Vector& bias) {
  Vector out = bias;
  for (std::size_t r = 0; r < weight.size(); ++r) {
    for (std::size_t c = 0; c < x.size(); ++c) out[r] += weight[r][c] * x[c];
  }
  return out;
}

inline Vector plus(const Vector& a, const Vector& b) {
  Vector out = a;
  for (std::size_t i = 0; i < b.size(); ++i) out[i] += b[i];
  return out;
}

inline Vector norm(const Vector& x, const Vector& weight, const Vector& bias, double epsilon) {
  double mean = 0;
  for (const double value : x) mean += value / double(x.size());
  double variance = 0;
  for (const double value : x) variance += (value - mean) * (value - mean) / double(x.size());
  Vector out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    out[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * weight[i] + bias[i];
  }
  return out;
}

inline double gelu(double x) {
  const double pi = std::acos(-1.0);
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / pi) * (x + 0.044715 * x * x * x)));
}

// One head's softmax(q·kᵀ/√d)·v for every token over the first `visible(t)` keys.
template <class Visible>
Matrix attend(const Matrix& q, const Matrix& k, const Matrix& v, const Visible& visible) {
  Matrix out;
  for (std::size_t t = 0; t < q.size(); ++t) {
    Vector score(k.size(), -std::numeric_limits<double>::infinity());
    double sum = 0;
    for (std::size_t s = 0; s < k.size(); ++s) {
      if (!visible(t, s)) continue;
      double dot = 0;
      for (std::size_t i = 0; i < q[t].size(); ++i) dot += q[t][i] * k[s][i];
      score[s] = std::exp(dot / std::sqrt(double(q[t].size())));
      sum += score[s];
    }
    Vector mixed(v[0].size(), 0);
    for (std::size_t s = 0; s < k.size(); ++s) {
      if (!visible(t, s)) continue;
      for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] += score[s] / sum * v[s][i];
    }
    out.push_back(mixed);
  }
  return out;
}

// The columns of one head.
inline Matrix columns(const Matrix& x, std::size_t begin, std::size_t count) {
  Matrix out;
  for (const Vector& row : x) {
    const auto first = row.begin() + static_cast<std::ptrdiff_t>(begin);
    out.emplace_back(first, first + static_cast<std::ptrdiff_t>(count));
  }
  return out;
}

}  // namespace qiao::learn::testing
