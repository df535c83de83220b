// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/fetch.h"
#include "base/json.h"
#include "base/result.h"
#include "client/server_address.h"

namespace qiao::client {

// A request to `path` of the server with its key.
FetchRequest make_request(const ServerAddress& server, std::string method, const std::string& path,
                          const Json& body);

// The Error in an answer of status 400 and over.
Error error_of(const ServerAddress& server, int status, std::string_view body);

// As fetch(), with a failed connection explained.
Result<FetchResponse> exchange(const ServerAddress& server, const FetchRequest& request,
                               std::stop_token stop);

}  // namespace qiao::client
