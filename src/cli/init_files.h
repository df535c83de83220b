// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace qiao::cli {

struct InitFile {
  std::string path;  // inside the flow's folder
  std::string text;
};

// The files of a small, complete flow called `name`: what `qiao init` writes.
std::vector<InitFile> init_files(const std::string& name);

}  // namespace qiao::cli
