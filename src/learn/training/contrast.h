// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

namespace qiao::learn {

// Supervised contrast (Khosla et al. 2020): each text shall be nearer, by cosine, to those of its
// own label than to the others of the batch. `vectors` [batch, width], `labels` [batch] (int64). A
// text whose label no other has only pushes; 0 when all are such.
torch::Tensor contrast_loss(const torch::Tensor& vectors, const torch::Tensor& labels);

}  // namespace qiao::learn
