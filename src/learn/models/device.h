// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

#include <string>

#include "base/result.h"

namespace qiao::learn {

// Where this process computes: models are made there. What is given to a model follows its weights;
// what is read from it comes back with `.cpu()`. Texts, tables and files stay with the CPU.
torch::Device device();

// `cpu`, `cuda` or `cuda:N`. Call once, before any model is made and any thread is started.
// invalid_argument for another name; `unsupported` when this libtorch has no CUDA, or not so many
// devices.
Status set_device(const std::string& name);

}  // namespace qiao::learn
