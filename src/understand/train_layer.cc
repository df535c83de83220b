// SPDX-License-Identifier: Apache-2.0
#include "understand/train_layer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qiao {
namespace {

using Matrix = std::vector<std::vector<double>>;

// What centring and scaling took from the vectors.
struct Scaling {
  std::vector<double> mean;
  double scale = 1;  // brings the mean length of a centred vector to 1
};

Scaling measure(const TrainingSet& set) {
  Scaling scaling;
  scaling.mean.assign(set.vectors.front().size(), 0);
  const auto count = static_cast<double>(set.vectors.size());
  for (const auto& vector : set.vectors) {
    for (std::size_t i = 0; i < vector.size(); ++i) scaling.mean[i] += vector[i] / count;
  }
  double squares = 0;
  for (const auto& vector : set.vectors) {
    for (std::size_t i = 0; i < vector.size(); ++i) {
      squares += std::pow(vector[i] - scaling.mean[i], 2) / count;
    }
  }
  scaling.scale = squares > 0 ? 1 / std::sqrt(squares) : 1;
  return scaling;
}

// Centred, scaled, and with a 1 at the end for the bias.
Matrix prepare(const TrainingSet& set, const Scaling& scaling) {
  Matrix rows;
  rows.reserve(set.vectors.size());
  for (const auto& vector : set.vectors) {
    std::vector<double> row(vector.size() + 1, 1);
    for (std::size_t i = 0; i < vector.size(); ++i) {
      row[i] = (vector[i] - scaling.mean[i]) * scaling.scale;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<double> softmax(const Matrix& layer, const std::vector<double>& row) {
  std::vector<double> chances;
  for (const auto& weights : layer) {
    chances.push_back(std::inner_product(row.begin(), row.end(), weights.begin(), 0.0));
  }
  const double greatest = *std::max_element(chances.begin(), chances.end());
  double sum = 0;
  for (double& chance : chances) sum += chance = std::exp(chance - greatest);
  for (double& chance : chances) chance /= sum;
  return chances;
}

Matrix gradient_at(const Matrix& layer, const Matrix& rows, const TrainingSet& set, double whole,
                   double l2) {
  Matrix gradient = layer;
  for (auto& row : gradient) {
    for (double& value : row) value *= l2;
    row.back() = 0;
  }
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const std::vector<double> chances = softmax(layer, rows[n]);
    for (std::size_t k = 0; k < layer.size(); ++k) {
      const double off = (chances[k] - (set.labels[n] == k ? 1 : 0)) * set.weights[n] / whole;
      for (std::size_t i = 0; i < rows[n].size(); ++i) gradient[k][i] += off * rows[n][i];
    }
  }
  return gradient;
}

LinearLayer unscaled(const Matrix& layer, const Scaling& scaling) {
  LinearLayer out;
  for (const auto& row : layer) {
    std::vector<float> weights;
    double bias = row.back();
    for (std::size_t i = 0; i < scaling.mean.size(); ++i) {
      const double weight = row[i] * scaling.scale;
      weights.push_back(static_cast<float>(weight));
      bias -= weight * scaling.mean[i];
    }
    out.weights.push_back(std::move(weights));
    out.biases.push_back(static_cast<float>(bias));
  }
  return out;
}

}  // namespace

LinearLayer train_layer(const TrainingSet& set, std::size_t classes,
                        const TrainingOptions& options) {
  const Scaling scaling = measure(set);
  const Matrix rows = prepare(set, scaling);
  const double whole = std::accumulate(set.weights.begin(), set.weights.end(), 0.0);
  // Centred vectors have length 1 on average and the bias adds 1, so the softmax loss curves by
  // about 1 at most; twice that keeps long vectors from overshooting.
  const double rate = 1 / (2.0 + options.l2);
  Matrix layer(classes, std::vector<double>(rows.front().size(), 0));
  Matrix ahead = layer;
  for (int step = 0; step < options.steps; ++step) {
    const Matrix gradient = gradient_at(ahead, rows, set, whole, options.l2);
    const double momentum = step / (step + 3.0);
    for (std::size_t k = 0; k < classes; ++k) {
      for (std::size_t i = 0; i < layer[k].size(); ++i) {
        const double next = ahead[k][i] - rate * gradient[k][i];
        ahead[k][i] = next + momentum * (next - layer[k][i]);
        layer[k][i] = next;
      }
    }
  }
  return unscaled(layer, scaling);
}

}  // namespace qiao
