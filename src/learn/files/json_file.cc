// SPDX-License-Identifier: Apache-2.0
#include "learn/files/json_file.h"

#include <utility>

namespace qiao::learn {

Result<Json> read_json_file(const std::string& path) {
  QIAO_ASSIGN(const std::string text, read_file(path));
  auto json = parse_json(text);
  if (!json) return std::move(json.error()).with(path);
  return json;
}

Status write_json_file(Disk& disk, const std::string& path, const Json& json) {
  constexpr int kIndent = 2;
  return write_file_atomic(disk, path, dump_json(json, kIndent) + "\n");
}

}  // namespace qiao::learn
