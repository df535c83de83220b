// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace qiao {

struct FetchResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
};

struct FetchRequest {
  std::string method = "GET";
  std::string url;  // http or https
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::int64_t connect_timeout_ms = 5'000;
  std::int64_t timeout_ms = 30'000;  // for the whole exchange; 0: none (streams)
  // Ends with `deadline` when no byte came for about that long (whole seconds); 0: no such limit.
  std::int64_t idle_timeout_ms = 0;
  std::size_t body_bytes_max = 16 << 20;
  bool no_proxy = false;  // always so for loopback
  // When set, called once with status and headers, before the body. Returning false ends the
  // exchange with `cancelled`.
  std::function<bool(const FetchResponse& head)> on_head;
  // When set, body bytes go here as they come and FetchResponse::body stays empty.
  // Returning false ends the exchange with `cancelled`.
  std::function<bool(std::string_view chunk)> on_body;
};

// One HTTP exchange, blocking (libcurl). A status of 400 and over is a response, not an Error;
// no connection is `unavailable`, time over `deadline`, a stop `cancelled`. Redirects are not
// followed. Thread-safe; a thread keeps its connections for reuse.
Result<FetchResponse> fetch(const FetchRequest& request, std::stop_token stop = {});

}  // namespace qiao
