// SPDX-License-Identifier: Apache-2.0
#include "server/api/answer.h"

namespace qiao::server {
namespace {

constexpr const char* kRetryAfterSeconds = "1";

// The words OpenAI's clients sort errors by.
const char* openai_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

}  // namespace

int http_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kNotFound:
      return 404;
    case Code::kAlreadyExists:
    case Code::kConflict:
      return 409;
    case Code::kPrecondition:
      return 412;
    case Code::kUnauthenticated:
      return 401;
    case Code::kPermission:
      return 403;
    case Code::kOverloaded:
      return 429;
    case Code::kDeadline:
      return 504;
    case Code::kCancelled:
      return 499;
    case Code::kUnavailable:
      return 503;
    case Code::kUnsupported:
      return 422;
    case Code::kModelFailed:
      return 502;
    case Code::kCorrupt:
    case Code::kInternal:
      return 500;
  }
  return 500;
}

Json http_error_json(const Error& error) {
  Json json = error_json(error);
  json["error"]["type"] = openai_type(http_status(error.code));
  json["error"]["param"] = nullptr;
  return json;
}

void send_json(ResponseWriter& writer, int status, const Json& json, HttpHeaders headers) {
  headers.emplace_back("Content-Type", "application/json");
  writer.respond(status, std::move(headers), dump_json(json));
}

void send_error(ResponseWriter& writer, const Error& error) {
  HttpHeaders headers;
  if (error.code == Code::kOverloaded || error.code == Code::kUnavailable)
    headers.emplace_back("Retry-After", kRetryAfterSeconds);
  if (error.code == Code::kUnauthenticated) headers.emplace_back("WWW-Authenticate", "Bearer");
  send_json(writer, http_status(error.code), http_error_json(error), std::move(headers));
}

std::function<void(Status)> answer_done(Writer writer) {
  return [writer = std::move(writer)](const Status& status) {
    if (!status) return send_error(*writer, status.error());
    send_json(*writer, 200, Json::object());
  };
}

}  // namespace qiao::server
