// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "net/http_server.h"
#include "server/api/answer.h"

namespace qiao::server {

// One request on its way to its handler.
struct Call {
  HttpRequest request;
  std::string parameter;  // what stands in the place of {…}
  Writer writer;
};

// Who may call a route: whoever holds the key, or anybody.
enum class Access { kKey, kOpen };

// Method and path → handler. A path has at most one parameter, "/v1/topics/{subject}/messages",
// which takes any text, so that names with a slash work; of several paths that fit, the one with
// more fixed text wins. Unknown paths are 404, known paths with another method 405, both as JSON.
//
// Filled once at start, then only read: thread-safe. Counts requests and seconds per route.
class Router {
 public:
  using Handler = std::function<void(Call)>;
  // Says why a request must not pass, before its handler runs.
  using Gate = std::function<Status(const HttpRequest&, Access)>;

  struct Route {
    std::string method;
    std::string pattern;
    std::string prefix;
    std::string suffix;
    bool has_parameter = false;
    Access access = Access::kKey;
    Handler handler;
  };

  Router(Gate gate, Metrics& metrics) : gate_(std::move(gate)), metrics_(metrics) {}
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  void add(std::string_view method, std::string_view pattern, Handler handler,
           Access access = Access::kKey);
  void dispatch(HttpRequest request, Writer writer) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  Gate gate_;
  Metrics& metrics_;
  std::vector<Route> routes_;
};

}  // namespace qiao::server
