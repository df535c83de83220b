// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "base/random.h"

namespace qiao {

// The path of a folder among the temporary ones (in the working folder when TMPDIR names none),
// which does not exist yet. What is there goes with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code fault;
    const std::filesystem::path above = std::filesystem::temp_directory_path(fault);
    path_ = (above / ("qiao-" + random_hex(kNameBytes))).string();
  }
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

}  // namespace qiao
