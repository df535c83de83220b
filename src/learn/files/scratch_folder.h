// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/random.h"

namespace qiao::learn {

// The path of a folder among the temporary ones, which does not exist yet. What is there goes with
// it.
class ScratchFolder {
 public:
  ScratchFolder()
      : path_((std::filesystem::temp_directory_path() / ("qiao-" + random_hex(kNameBytes)))
                  .string()) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  static constexpr std::size_t kNameBytes = 8;
  std::string path_;
};

}  // namespace qiao::learn
