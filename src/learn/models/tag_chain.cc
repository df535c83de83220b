// SPDX-License-Identifier: Apache-2.0
#include "learn/models/tag_chain.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "learn/data/examples.h"

namespace qiao::learn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

double log_sum_exp(std::span<const double> values) {
  const double greatest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += std::exp(value - greatest);
  return greatest + std::log(sum);
}

// One row of a batch: the forward-backward algorithm (Rabiner 1989) on logarithms.
class Chain {
 public:
  // `scores`: tags numbers for each place of the row; `places`: those that are tagged, rising.
  Chain(const double* scores, std::vector<std::int64_t> places, const double* transitions,
        std::int64_t tags)
      : scores_(scores),
        places_(std::move(places)),
        transitions_(transitions),
        tags_(tags),
        terms_(static_cast<std::size_t>(tags)),
        forward_(places_.size() * terms_.size()),
        backward_(forward_.size(), 0.0) {
    run_forward();
    run_backward();
    total_ = log_sum_exp({row(forward_, places_.size() - 1), terms_.size()});
  }

  [[nodiscard]] double loss(const std::int64_t* targets) const {
    double wanted = 0;
    for (std::size_t at = 0; at < places_.size(); ++at) {
      wanted += own(at)[targets[places_[at]]];
      if (at > 0) wanted += step(targets[places_[at - 1]], targets[places_[at]]);
    }
    return total_ - wanted;
  }

  // Adds the loss's gradients: probability less what is wanted.
  void add_gradients(const std::int64_t* targets, double* scores, double* transitions) const {
    for (std::size_t at = 0; at < places_.size(); ++at) {
      double* mine = scores + places_[at] * tags_;
      for (std::int64_t tag = 0; tag < tags_; ++tag) {
        mine[tag] += std::exp(row(forward_, at)[tag] + row(backward_, at)[tag] - total_);
      }
      mine[targets[places_[at]]] -= 1;
      if (at == 0) continue;
      for (std::int64_t before = 0; before < tags_; ++before) {
        for (std::int64_t tag = 0; tag < tags_; ++tag) {
          transitions[before * tags_ + tag] +=
              std::exp(row(forward_, at - 1)[before] + step(before, tag) + own(at)[tag] +
                       row(backward_, at)[tag] - total_);
        }
      }
      transitions[targets[places_[at - 1]] * tags_ + targets[places_[at]]] -= 1;
    }
  }

 private:
  [[nodiscard]] const double* own(std::size_t at) const { return scores_ + places_[at] * tags_; }
  [[nodiscard]] double step(std::int64_t before, std::int64_t tag) const {
    return transitions_[before * tags_ + tag];
  }
  [[nodiscard]] const double* row(const std::vector<double>& values, std::size_t at) const {
    return values.data() + static_cast<std::ptrdiff_t>(at) * tags_;
  }

  void run_forward() {
    std::copy_n(own(0), tags_, forward_.begin());
    for (std::size_t at = 1; at < places_.size(); ++at) {
      for (std::int64_t tag = 0; tag < tags_; ++tag) {
        for (std::int64_t before = 0; before < tags_; ++before) {
          terms_[static_cast<std::size_t>(before)] =
              row(forward_, at - 1)[before] + step(before, tag);
        }
        forward_[at * terms_.size() + static_cast<std::size_t>(tag)] =
            log_sum_exp(terms_) + own(at)[tag];
      }
    }
  }

  void run_backward() {
    for (std::size_t at = places_.size() - 1; at > 0; --at) {
      for (std::int64_t before = 0; before < tags_; ++before) {
        for (std::int64_t tag = 0; tag < tags_; ++tag) {
          terms_[static_cast<std::size_t>(tag)] =
              step(before, tag) + own(at)[tag] + row(backward_, at)[tag];
        }
        backward_[(at - 1) * terms_.size() + static_cast<std::size_t>(before)] =
            log_sum_exp(terms_);
      }
    }
  }

  const double* scores_;
  const std::vector<std::int64_t> places_;
  const double* transitions_;
  const std::int64_t tags_;
  std::vector<double> terms_;
  std::vector<double> forward_;   // [place, tag]: all ways that end with this tag here
  std::vector<double> backward_;  // all ways on from it
  double total_ = 0;              // of all ways
};

std::vector<std::int64_t> tagged_places(const std::int64_t* targets, std::int64_t tokens) {
  std::vector<std::int64_t> places;
  for (std::int64_t at = 0; at < tokens; ++at) {
    if (targets[at] != kNoTarget) places.push_back(at);
  }
  return places;
}

class ChainLoss : public torch::autograd::Function<ChainLoss> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& scores,
                               const torch::Tensor& targets, const torch::Tensor& transitions) {
    const torch::Tensor own = scores.to(torch::kDouble).contiguous();
    const torch::Tensor steps = transitions.to(torch::kDouble).contiguous();
    const torch::Tensor wanted = targets.contiguous();
    const std::int64_t tokens = own.size(1);
    const std::int64_t tags = own.size(2);
    const torch::Tensor score_gradient = torch::zeros_like(own);
    const torch::Tensor step_gradient = torch::zeros_like(steps);
    double loss = 0;
    std::size_t pieces = 0;
    for (std::int64_t row = 0; row < own.size(0); ++row) {
      const std::int64_t* mine = wanted.data_ptr<std::int64_t>() + row * tokens;
      std::vector<std::int64_t> places = tagged_places(mine, tokens);
      if (places.empty()) continue;
      pieces += places.size();
      const std::int64_t begin = row * tokens * tags;
      const Chain chain(own.data_ptr<double>() + begin, std::move(places), steps.data_ptr<double>(),
                        tags);
      loss += chain.loss(mine);
      chain.add_gradients(mine, score_gradient.data_ptr<double>() + begin,
                          step_gradient.data_ptr<double>());
    }
    const double share = pieces == 0 ? 0.0 : 1.0 / static_cast<double>(pieces);
    context->save_for_backward({(score_gradient * share).to(scores.scalar_type()),
                                (step_gradient * share).to(transitions.scalar_type())});
    return torch::tensor(loss * share, torch::kDouble);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const auto saved = context->get_saved_variables();
    return {saved[0] * gradients[0].to(saved[0].scalar_type()),
            {},
            saved[1] * gradients[0].to(saved[1].scalar_type())};
  }
};

}  // namespace

torch::Tensor chain_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const torch::Tensor& transitions) {
  return ChainLoss::apply(scores, targets, transitions);
}

}  // namespace qiao::learn
