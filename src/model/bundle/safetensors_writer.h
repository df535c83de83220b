// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/result.h"

namespace qiao::model {

// A tensor to write, row by row: binary32, or whole numbers of eight bits. What it points to is
// not owned and must live until the file is written.
struct NamedValues {
  std::string name;
  std::vector<std::int64_t> shape;
  const float* values = nullptr;
  const std::int8_t* int8 = nullptr;  // in the place of values
};

// Writes a safetensors file (github.com/huggingface/safetensors) beside `path`, syncs, renames:
// never half a file under the final name. A full disk is `unavailable` and says so.
// Requires: names differ; every shape fills its values.
Status write_safetensors(Disk& disk, const std::string& path,
                         const std::vector<NamedValues>& tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace qiao::model
