// SPDX-License-Identifier: Apache-2.0
#include "client/exchange.h"

namespace qiao::client {
namespace {

// The class of a status whose body is not ours (a proxy's, another program's).
Code code_of_status(int status) {
  switch (status) {
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermission;
    case 404:
      return Code::kNotFound;
    case 408:
    case 504:
      return Code::kDeadline;
    case 409:
      return Code::kConflict;
    case 429:
      return Code::kOverloaded;
    case 502:
    case 503:
      return Code::kUnavailable;
    default:
      return status < 500 ? Code::kInvalidArgument : Code::kInternal;
  }
}

}  // namespace

FetchRequest make_request(const ServerAddress& server, std::string method, const std::string& path,
                          const Json& body) {
  FetchRequest request;
  request.method = std::move(method);
  request.url = server.url + path;
  if (!server.key.empty()) request.headers.emplace_back("Authorization", "Bearer " + server.key);
  if (!body.is_null()) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = dump_json(body);
  }
  return request;
}

Error error_of(const ServerAddress& server, int status, std::string_view body) {
  const auto json = parse_json(body);
  if (json && json->is_object() && json->contains("error")) {
    const Json& error = (*json)["error"];
    const std::int64_t number = json_integer(error, "number").value_or(0);
    const bool known = number >= 1 && number <= static_cast<std::int64_t>(Code::kInternal);
    const auto message = json_string(error, "message");
    if (message) return {known ? static_cast<Code>(number) : code_of_status(status), *message};
  }
  return {code_of_status(status),
          server.url + " answered with HTTP status " + std::to_string(status)};
}

Result<FetchResponse> exchange(const ServerAddress& server, const FetchRequest& request,
                               std::stop_token stop) {
  auto response = fetch(request, std::move(stop));
  if (!response && response.error().code == Code::kUnavailable) {
    return unavailable("no server answers at " + server.url + " (" + response.error().message +
                       "); start one with `qiao serve`, or name another with --server");
  }
  return response;
}

}  // namespace qiao::client
