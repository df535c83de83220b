// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace qiao::server {

// The small files a server keeps in its data directory, readable by its user alone.

struct ServerKey {
  std::string key;
  bool is_new = false;
};
// The key in `data`/key; made there (32 random bytes in hexadecimal) when there is none.
Result<ServerKey> read_or_make_key(const std::string& data);

// `data`/server.json, by which programs of this machine find the server: url, key, pid.
Status write_server_file(const std::string& data, const std::string& url, const std::string& key);
void remove_server_file(const std::string& data);

// Makes `data` when it is not there, for its user alone.
Status make_data_directory(const std::string& data);

}  // namespace qiao::server
