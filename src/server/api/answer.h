// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/result.h"
#include "net/http_server.h"

namespace qiao::server {

using Writer = std::shared_ptr<ResponseWriter>;

// The one table from classes of failure to HTTP: docs/reference/errors.md prints it.
int http_status(Code code);

// {"error":{"code","number","message","type","param"}}: ours and OpenAI's form in one.
Json http_error_json(const Error& error);

void send_json(ResponseWriter& writer, int status, const Json& json, HttpHeaders headers = {});
// Adds Retry-After where trying again helps.
void send_error(ResponseWriter& writer, const Error& error);

// A callback for the broker that answers with what `form` makes of the value.
template <class T, class Form>
std::function<void(Result<T>)> answer_with(Writer writer, Form form) {
  return [writer = std::move(writer), form = std::move(form)](const Result<T>& result) {
    if (!result) return send_error(*writer, result.error());
    send_json(*writer, 200, form(*result));
  };
}
std::function<void(Status)> answer_done(Writer writer);  // {} on success

}  // namespace qiao::server
