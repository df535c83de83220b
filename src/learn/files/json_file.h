// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"
#include "base/json.h"

namespace qiao::learn {

// An Error names the file.
Result<Json> read_json_file(const std::string& path);
// Indented, for people too; appears whole or not at all.
Status write_json_file(Disk& disk, const std::string& path, const Json& json);

}  // namespace qiao::learn
