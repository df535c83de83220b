// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/result.h"

namespace qiao {

struct ServerAddress {
  std::string url;  // "http://127.0.0.1:7411", without a slash at the end
  std::string key;
};

// Where the server is: what was `given` (either field may be empty), else QIAO_SERVER and QIAO_KEY,
// else the server.json that a running server keeps in its data directory. Its key is used for its
// own url only. `unavailable` when no server is known, saying how to name one.
Result<ServerAddress> find_server(const ServerAddress& given, const std::string& data_directory);

// QIAO_DATA, else ".qiao".
std::string default_data_directory();

}  // namespace qiao
