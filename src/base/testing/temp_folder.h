// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/scratch_folder.h"

namespace qiao::testing {

// A folder of its own for one test, removed with all it holds.
class TempFolder {
 public:
  TempFolder() { std::filesystem::create_directories(path()); }

  [[nodiscard]] const std::string& path() const { return scratch_.path(); }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path() + "/" + std::string(name);
  }
  std::string write(std::string_view name, std::string_view bytes) const {
    const std::filesystem::path file = *this / name;
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::remove(file);  // some file systems wait for the disk when a file is emptied
    std::ofstream(file, std::ios::binary) << bytes;
    return file.string();
  }

 private:
  const ScratchFolder scratch_;
};

}  // namespace qiao::testing
