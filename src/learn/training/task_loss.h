// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <vector>

#include "learn/data/labels.h"
#include "learn/files/bundle.h"

namespace qiao::learn {

// How labels are learnt.
struct LabelLoss {
  double smoothing = 0;
  torch::Tensor weights;  // of the labels, in the order of the outputs; undefined: all alike
};

// What the scores of the bundle's model for a batch (TextOutput) cost, held against the batch's
// `targets`: [], binary32 or more. Labels by label_loss(), several heads by heads_loss(), tags by
// chain_loss() and numbers by their squared error in deviations; `how` is for labels and heads.
// Requires: has_target().
torch::Tensor task_loss(const Bundle& bundle, const torch::Tensor& scores,
                        const torch::Tensor& targets, const LabelLoss& how);

// How far the answers `given` to a batch are from those `wanted`, both before the softmax: [].
// KL(wanted ‖ given) of scores divided by `temperature`, in the mean over rows; of several heads
// the mean over them, of tags over the pieces that have a target. Of numbers the squared distance
// in deviations of the bundle's model.
torch::Tensor answers_apart(const Bundle& bundle, const torch::Tensor& wanted,
                            const torch::Tensor& given, const torch::Tensor& targets,
                            double temperature);

// Whether a batch has a target that the model knows; numbers always have.
bool has_target(Task task, const torch::Tensor& targets);

// The cross entropy of `scores` [batch, labels] to `targets` [batch]; rows with kNoTarget are left
// out. Requires: another row.
torch::Tensor label_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const LabelLoss& how);

// The mean of that of each head over the heads that a row has a target for: one that few rows have
// counts as much as the others. `targets` [batch, heads]. Requires: one target.
torch::Tensor heads_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const std::vector<LabelHead>& heads, const LabelLoss& how);

}  // namespace qiao::learn
