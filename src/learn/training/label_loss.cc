// SPDX-License-Identifier: Apache-2.0
#include "learn/training/label_loss.h"

#include "learn/data/examples.h"

namespace qiao::learn {

torch::Tensor label_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const LabelLoss& how) {
  namespace F = torch::nn::functional;
  auto options =
      F::CrossEntropyFuncOptions().ignore_index(kNoTarget).label_smoothing(how.smoothing);
  if (how.weights.defined()) options.weight(how.weights);
  return F::cross_entropy(scores, targets, options);
}

torch::Tensor heads_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const std::vector<LabelHead>& heads, const LabelLoss& how) {
  std::vector<torch::Tensor> losses;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const torch::Tensor own = targets.select(1, static_cast<std::int64_t>(i));
    if (!own.ne(kNoTarget).any().item<bool>()) continue;
    const auto outputs = static_cast<std::int64_t>(heads[i].labels.size());
    LabelLoss part{how.smoothing, {}};
    if (how.weights.defined()) part.weights = how.weights.narrow(0, heads[i].begin, outputs);
    losses.push_back(label_loss(scores.narrow(1, heads[i].begin, outputs), own, part));
  }
  return torch::stack(losses).mean();
}

}  // namespace qiao::learn
