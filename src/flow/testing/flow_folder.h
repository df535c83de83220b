// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace qiao::testing {

// A flow's folder for one test, removed with all it holds.
class FlowFolder {
 public:
  FlowFolder() {
    path_ = (std::filesystem::temp_directory_path() / "qiao-flow-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~FlowFolder() {
    if (!path_.empty()) std::filesystem::remove_all(path_);
  }
  FlowFolder(FlowFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  FlowFolder& operator=(FlowFolder&&) = delete;

  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace qiao::testing
