// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

namespace qiao::learn {

// GELU (Hendrycks, Gimpel 2016) by its form with tanh, as llama.cpp and GPT-2 run it: of each value
// of x, with its gradient. On a CPU in one pass over binary32 or bfloat16: libtorch's takes a
// quarter of a small encoder's step; what is neither, or is elsewhere, has libtorch's. Thread-safe.
torch::Tensor gelu_by_tanh(const torch::Tensor& x);

}  // namespace qiao::learn
