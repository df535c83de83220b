// SPDX-License-Identifier: Apache-2.0
#include "learn/files/free_place.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace qiao::learn {

Status make_folder_of(Disk& disk, const std::string& place) {
  namespace fs = std::filesystem;
  const std::string named = fs::path(place).parent_path().string();
  const std::string folder = named.empty() ? "." : named;
  std::error_code ignored;
  if (disk.exists(folder) && !fs::is_directory(folder, ignored)) {
    return invalid_argument(folder + " is no folder: " + place + " cannot stand in it");
  }
  QIAO_TRY(disk.make_directories(folder));
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return {};
  return Error{Code::kPermission,
               "nothing may be written in " + folder + ", where " + place + " shall stand"};
}

Status check_free(Disk& disk, const std::string& out) {
  if (disk.exists(out)) {
    return Error{Code::kAlreadyExists, out + " is there already: remove it or give another --out"};
  }
  return make_folder_of(disk, out);
}

}  // namespace qiao::learn
