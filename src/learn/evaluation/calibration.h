// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

#include "base/json.h"
#include "learn/evaluation/metrics.h"

namespace qiao::learn {

inline constexpr double kTemperatureMin = 0.25;
inline constexpr double kTemperatureMax = 4;

// By what scores [rows, labels] must be divided before the softmax so that its numbers are those
// of being right (Guo et al. 2017): the temperature with the smallest negative log-likelihood of
// `targets` [rows]. 1 when no row has a target.
double fit_temperature(const torch::Tensor& scores, const torch::Tensor& targets);

// Below which confidence an answer is better refused.
struct RejectPoint {
  double threshold = 0;
  double accuracy = 0;        // right answers and right refusals, of all rows
  double in_scope_right = 0;  // of the rows with a label of the model: answered, and rightly
  double outside_found = 0;   // of the others: refused
};

// The threshold with the best accuracy over `rows`, in which `expected` -1 says that no label of
// the model is right. Empty when there is no such row, or no other.
std::optional<RejectPoint> fit_reject(const std::vector<Classified>& rows);

// How far scores [rows, labels] can be trusted: `temperature`, the calibration `error` with it, and
// `reject` where a row of `targets` [rows] is kNoTarget: no label of the model is right.
Json calibrate(const torch::Tensor& scores, const torch::Tensor& targets);

}  // namespace qiao::learn
