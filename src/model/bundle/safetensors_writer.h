// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/result.h"

namespace qiao::model {

// A tensor to write: binary32, row by row.
struct NamedValues {
  std::string name;
  std::vector<std::int64_t> shape;
  const float* values = nullptr;  // not owned; must live until the file is written
};

// Writes a safetensors file (github.com/huggingface/safetensors) beside `path`, syncs, renames:
// never half a file under the final name. A full disk is `unavailable` and says so.
// Requires: names differ; every shape fills its values.
Status write_safetensors(Disk& disk, const std::string& path,
                         const std::vector<NamedValues>& tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace qiao::model
