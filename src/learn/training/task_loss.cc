// SPDX-License-Identifier: Apache-2.0
#include "learn/training/task_loss.h"

#include <algorithm>

#include "learn/data/examples.h"
#include "learn/models/tag_chain.h"

namespace qiao::learn {
namespace {

// Of [rows, outputs].
torch::Tensor rows_apart(const torch::Tensor& wanted, const torch::Tensor& given,
                         double temperature) {
  const torch::Tensor sum =
      torch::kl_div(torch::log_softmax(given / temperature, -1),
                    torch::softmax(wanted / temperature, -1), at::Reduction::Sum);
  return sum / static_cast<double>(std::max<std::int64_t>(1, given.size(0)));
}

// Of the outputs of all heads, [batch, outputs] or [outputs], those of one.
torch::Tensor of_head(const torch::Tensor& outputs, const LabelHead& head) {
  return outputs.narrow(-1, head.begin, static_cast<std::int64_t>(head.labels.size()));
}

}  // namespace

torch::Tensor task_loss(const Bundle& bundle, const torch::Tensor& scores,
                        const torch::Tensor& targets, const LabelLoss& how) {
  const torch::Tensor given = scores.to(torch::kFloat);
  const torch::Tensor wanted = targets.to(given.device());
  switch (bundle.task) {
    case Task::kTag:  // its loops are the CPU's
      return chain_loss(given.cpu(), targets.cpu(), bundle.model->transitions.cpu());
    case Task::kRegress:
      return ((given.squeeze(-1) - wanted) / bundle.model->deviation()).square().mean();
    case Task::kHeads:
      return heads_loss(given, wanted, bundle.labels.heads(), how);
    case Task::kClassify:
    case Task::kPair:
      break;
  }
  return label_loss(given, wanted, how);
}

torch::Tensor answers_apart(const Bundle& bundle, const torch::Tensor& wanted,
                            const torch::Tensor& given, const torch::Tensor& targets,
                            double temperature) {
  switch (bundle.task) {
    case Task::kTag: {
      const torch::Tensor tagged = targets.ne(kNoTarget).to(given.device());
      return rows_apart(wanted.index({tagged}), given.index({tagged}), temperature);
    }
    case Task::kRegress:
      return ((given - wanted) / bundle.model->deviation()).square().mean();
    case Task::kHeads: {
      std::vector<torch::Tensor> apart;
      for (const LabelHead& head : bundle.labels.heads()) {
        apart.push_back(rows_apart(of_head(wanted, head), of_head(given, head), temperature));
      }
      return torch::stack(apart).mean();
    }
    case Task::kClassify:
    case Task::kPair:
      break;
  }
  return rows_apart(wanted, given, temperature);
}

bool has_target(Task task, const torch::Tensor& targets) {
  return task == Task::kRegress || targets.ne(kNoTarget).any().item<bool>();
}

torch::Tensor label_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const LabelLoss& how) {
  namespace F = torch::nn::functional;
  auto options =
      F::CrossEntropyFuncOptions().ignore_index(kNoTarget).label_smoothing(how.smoothing);
  if (how.weights.defined()) options.weight(how.weights.to(scores.device()));
  return F::cross_entropy(scores, targets, options);
}

torch::Tensor heads_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const std::vector<LabelHead>& heads, const LabelLoss& how) {
  std::vector<torch::Tensor> losses;
  for (std::size_t i = 0; i < heads.size(); ++i) {
    const torch::Tensor own = targets.select(1, static_cast<std::int64_t>(i));
    if (!own.ne(kNoTarget).any().item<bool>()) continue;
    LabelLoss part{how.smoothing, {}};
    if (how.weights.defined()) part.weights = of_head(how.weights, heads[i]);
    losses.push_back(label_loss(of_head(scores, heads[i]), own, part));
  }
  return torch::stack(losses).mean();
}

}  // namespace qiao::learn
