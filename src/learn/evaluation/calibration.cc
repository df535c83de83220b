// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/calibration.h"

#include <algorithm>
#include <cmath>

#include "learn/data/examples.h"

namespace qiao::learn {
namespace {

constexpr int kHalvings = 40;  // golden sections: past a float's accuracy

double loss_at(const torch::Tensor& scores, const torch::Tensor& targets, double temperature) {
  return torch::nll_loss(torch::log_softmax(scores / temperature, -1), targets).item<double>();
}

}  // namespace

double fit_temperature(const torch::Tensor& scores, const torch::Tensor& targets) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor known = targets.ne(kNoTarget).nonzero().squeeze(-1);
  if (known.numel() == 0) return 1;
  const torch::Tensor own = scores.index_select(0, known).to(torch::kDouble);
  const torch::Tensor right = targets.index_select(0, known);
  // The loss has one valley over the logarithm of the temperature.
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(kTemperatureMin);
  double high = std::log(kTemperatureMax);
  for (int i = 0; i < kHalvings; ++i) {
    const double a = high - ratio * (high - low);
    const double b = low + ratio * (high - low);
    if (loss_at(own, right, std::exp(a)) < loss_at(own, right, std::exp(b))) {
      high = b;
    } else {
      low = a;
    }
  }
  return std::exp((low + high) / 2);
}

std::optional<RejectPoint> fit_reject(const std::vector<Classified>& rows) {
  std::vector<Classified> rising = rows;
  std::stable_sort(rising.begin(), rising.end(), [](const Classified& a, const Classified& b) {
    return a.confidence < b.confidence;
  });
  double outside = 0;
  double right = 0;  // among those answered
  for (const Classified& row : rising) {
    if (row.expected < 0) ++outside;
    if (row.expected == row.given) ++right;
  }
  const auto count = static_cast<double>(rising.size());
  if (outside == 0 || outside == count) return std::nullopt;
  RejectPoint best{0, right / count, right / (count - outside), 0};
  double found = 0;
  for (std::size_t i = 0; i < rising.size(); ++i) {
    if (rising[i].expected < 0) ++found;
    if (rising[i].expected == rising[i].given) --right;
    const double here = rising[i].confidence;
    const double next = i + 1 < rising.size() ? rising[i + 1].confidence : 1.0;
    if (next <= here || (right + found) / count <= best.accuracy) continue;
    best = {(here + next) / 2, (right + found) / count, right / (count - outside), found / outside};
  }
  return best;
}

Json calibrate(const torch::Tensor& scores, const torch::Tensor& targets) {
  const double temperature = fit_temperature(scores, targets);
  const auto [confidence, label] = torch::softmax(scores / temperature, -1).max(-1);
  std::vector<Classified> answers(static_cast<std::size_t>(scores.size(0)));
  for (std::int64_t i = 0; i < scores.size(0); ++i) {
    answers[static_cast<std::size_t>(i)] = {
        std::max<std::int64_t>(-1, targets[i].item<std::int64_t>()), label[i].item<std::int64_t>(),
        confidence[i].item<double>()};
  }
  Json made = {{"temperature", temperature}, {"error", calibration_error(answers)}};
  if (const auto reject = fit_reject(answers)) {
    made["reject"] = {{"threshold", reject->threshold},
                      {"accuracy", reject->accuracy},
                      {"in_scope_right", reject->in_scope_right},
                      {"outside_found", reject->outside_found}};
  }
  return made;
}

}  // namespace qiao::learn
