// SPDX-License-Identifier: Apache-2.0
#include "learn/training/optimiser.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace qiao::learn {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // elements a thread takes at once

// One Adam step on `count` neighbouring values.
struct AdamPass {
  float keep1, add1, keep2, add2;  // β and 1-β
  float shrink;                    // of the gradient, for clipping
  float rate;                      // with the first moment's bias correction
  float root;                      // 1/√(second moment's bias correction)
  float epsilon;
  float decay;  // 1 - rate·weight_decay

  void run(float* weight, const float* gradient, float* first, float* second,
           std::int64_t count) const {
    for (std::int64_t i = 0; i < count; ++i) {
      const float g = gradient[i] * shrink;
      const float m = keep1 * first[i] + add1 * g;
      const float v = keep2 * second[i] + add2 * g * g;
      first[i] = m;
      second[i] = v;
      weight[i] = weight[i] * decay - rate * m / (std::sqrt(v) * root + epsilon);
    }
  }
};

AdamPass make_pass(const AdamOptions& options, double rate, double shrink, double steps,
                   bool decays) {
  const double correct1 = 1 - std::pow(options.beta1, steps);
  const double correct2 = 1 - std::pow(options.beta2, steps);
  const double decay = decays ? 1 - rate * options.weight_decay : 1;
  return {float(options.beta1),
          float(1 - options.beta1),
          float(options.beta2),
          float(1 - options.beta2),
          float(shrink),
          float(rate / correct1),
          float(1 / std::sqrt(correct2)),
          float(options.epsilon),
          float(decay)};
}

}  // namespace

AdamW::AdamW(std::vector<LearningWeight> weights, const AdamOptions& options)
    : weights_(std::move(weights)), options_(options) {
  for (const LearningWeight& weight : weights_) {
    const std::int64_t counts = weight.tensor.dim() == 2 ? weight.tensor.size(0) : 1;
    moments_.push_back({torch::zeros_like(weight.tensor), torch::zeros_like(weight.tensor),
                        torch::zeros({counts}, weight.tensor.options().dtype(torch::kFloat)),
                        options.average > 0 ? weight.tensor.detach().clone() : torch::Tensor()});
  }
}

void AdamW::zero_gradients() {
  for (LearningWeight& weight : weights_) weight.tensor.mutable_grad().reset();
}

Result<double> AdamW::norm_of_gradients() const {
  double sum = 0;
  for (const LearningWeight& weight : weights_) {
    const torch::Tensor& gradient = weight.tensor.grad();
    if (!gradient.defined()) continue;
    const torch::Tensor values = gradient.is_sparse() ? gradient._values() : gradient;
    const double norm = values.norm().item<double>();
    if (!std::isfinite(norm)) {
      return Error{
          Code::kModelFailed,
          "the gradient of " + weight.name +
              " is not a number: lower the learning rate (--rate) or look for broken rows"};
    }
    sum += norm * norm;
  }
  return std::sqrt(sum);
}

Result<double> AdamW::step(double rate) {
  const torch::NoGradGuard no_grad;
  for (LearningWeight& weight : weights_) {
    torch::Tensor& gradient = weight.tensor.mutable_grad();
    if (gradient.defined() && gradient.is_sparse()) gradient = gradient.coalesce();
  }
  QIAO_ASSIGN(const double norm, norm_of_gradients());
  const bool clips = options_.clip_norm > 0 && norm > options_.clip_norm;
  const double shrink = clips ? options_.clip_norm / norm : 1;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const torch::Tensor& gradient = weights_[i].tensor.grad();
    if (!gradient.defined()) continue;
    const double own_rate = rate * weights_[i].rate_scale;
    if (!fuses(i)) {
      update_by_operators(i, own_rate, shrink);
    } else if (gradient.is_sparse()) {
      update_rows(i, own_rate, shrink);
    } else {
      update_dense(i, own_rate, shrink);
    }
  }
  update_means();
  return norm;
}

// At step t over no more than about t steps: the first weights are soon forgotten.
void AdamW::update_means() {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!moments_[i].mean.defined()) continue;
    const double steps = moments_[i].steps.max().item<double>();
    const double kept = std::min(options_.average, (1 + steps) / (10 + steps));
    moments_[i].mean.lerp_(weights_[i].tensor, 1 - kept);
  }
}

void AdamW::swap_means() {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    torch::Tensor& mean = moments_[i].mean;
    if (!mean.defined()) continue;
    const torch::Tensor held = mean.clone();
    mean.copy_(weights_[i].tensor);
    weights_[i].tensor.copy_(held);
  }
}

bool AdamW::fuses(std::size_t index) const {
  return options_.fused && weights_[index].tensor.is_cpu();
}

// The same step as the loops below.
void AdamW::update_by_operators(std::size_t index, double rate, double shrink) {
  torch::Tensor weight = weights_[index].tensor.detach();
  Moments& moments = moments_[index];
  torch::Tensor gradient = weights_[index].tensor.grad();
  const bool some = gradient.is_sparse();
  const torch::Tensor rows = some ? gradient._indices()[0] : torch::Tensor();
  const auto part = [&](const torch::Tensor& of) { return some ? of.index_select(0, rows) : of; };
  gradient = (some ? gradient._values() : gradient) * shrink;
  const torch::Tensor steps = part(moments.steps) + 1;
  const torch::Tensor first =
      part(moments.first) * options_.beta1 + gradient * (1 - options_.beta1);
  const torch::Tensor second =
      part(moments.second) * options_.beta2 + gradient.square() * (1 - options_.beta2);
  // The counts are one for all, or one for each row.
  const auto corrected = [&](double beta) {
    const torch::Tensor of = 1 - torch::pow(beta, some ? steps : steps[0]);
    return some ? of.unsqueeze(1) : of;
  };
  const double decay = weight.dim() >= 2 ? 1 - rate * options_.weight_decay : 1;
  const torch::Tensor moved =
      part(weight) * decay - rate * (first / corrected(options_.beta1)) /
                                 ((second / corrected(options_.beta2)).sqrt() + options_.epsilon);
  const auto put = [&](torch::Tensor& into, const torch::Tensor& values) {
    if (some) {
      into.index_copy_(0, rows, values);
    } else {
      into.copy_(values);
    }
  };
  put(weight, moved);
  put(moments.first, first);
  put(moments.second, second);
  put(moments.steps, steps);
}

void AdamW::update_dense(std::size_t index, double rate, double shrink) {
  const torch::Tensor& weight = weights_[index].tensor;
  const torch::Tensor gradient = weight.grad().contiguous();
  Moments& moments = moments_[index];
  moments.steps += 1;
  const AdamPass pass =
      make_pass(options_, rate, shrink, moments.steps[0].item<double>(), weight.dim() >= 2);
  float* to = weight.data_ptr<float>();
  const float* from = gradient.data_ptr<float>();
  float* first = moments.first.data_ptr<float>();
  float* second = moments.second.data_ptr<float>();
  at::parallel_for(0, weight.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    pass.run(to + begin, from + begin, first + begin, second + begin, end - begin);
  });
}

void AdamW::update_rows(std::size_t index, double rate, double shrink) {
  const torch::Tensor& weight = weights_[index].tensor;
  const torch::Tensor rows = weight.grad()._indices()[0].contiguous();
  const torch::Tensor values = weight.grad()._values().contiguous();
  Moments& moments = moments_[index];
  const std::int64_t width = weight.size(1);
  float* to = weight.data_ptr<float>();
  float* first = moments.first.data_ptr<float>();
  float* second = moments.second.data_ptr<float>();
  float* steps = moments.steps.data_ptr<float>();
  const float* from = values.data_ptr<float>();
  const std::int64_t* row = rows.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows.numel(); ++i) {
    const std::int64_t at = row[i] * width;
    steps[row[i]] += 1;
    make_pass(options_, rate, shrink, double{steps[row[i]]}, true)
        .run(to + at, from + i * width, first + at, second + at, width);
  }
}

double warmup_cosine(std::int64_t step, std::int64_t steps, std::int64_t warmup, double floor) {
  if (step < warmup) return double(step + 1) / double(warmup);
  const double left = double(std::max<std::int64_t>(1, steps - warmup));
  const double done = std::min(1.0, double(step - warmup) / left);
  return floor + (1 - floor) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace qiao::learn
