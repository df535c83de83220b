// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "base/disk.h"
#include "learn/models/encoder.h"

namespace qiao::learn {

// Writes tensors (binary32) as a safetensors file, atomically; see write_safetensors().
Status save_tensors(Disk& disk, const std::string& path, const NamedTensors& tensors,
                    const std::map<std::string, std::string>& metadata = {});

// Fills `targets` from a safetensors file by name; an Error names the tensor.
Status load_tensors(const std::string& path, const NamedTensors& targets);

}  // namespace qiao::learn
