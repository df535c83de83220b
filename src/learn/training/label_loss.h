// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <vector>

#include "learn/data/labels.h"

namespace qiao::learn {

// How labels are learnt.
struct LabelLoss {
  double smoothing = 0;
  torch::Tensor weights;  // of the labels, in the order of the outputs; undefined: all alike
};

// The cross entropy of `scores` [batch, labels] to `targets` [batch]; rows with kNoTarget are left
// out. Requires: another row.
torch::Tensor label_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const LabelLoss& how);

// The mean of that of each head over the heads that a row has a target for: one that few rows have
// counts as much as the others. `targets` [batch, heads]. Requires: one target.
torch::Tensor heads_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const std::vector<LabelHead>& heads, const LabelLoss& how);

}  // namespace qiao::learn
