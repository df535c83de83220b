// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

namespace qiao::learn {

// Dropout (Srivastava et al. 2014): in training that share of the values becomes 0 and the others
// grow by 1/(1-share); else x itself. Which ones depends on one number of torch's generator and on
// their places, not on the number of threads. libtorch's own draws value by value and costs about a
// tenth of a small encoder's step on a CPU; elsewhere it is used.
torch::Tensor drop(const torch::Tensor& x, double share, bool training);

}  // namespace qiao::learn
