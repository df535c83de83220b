// SPDX-License-Identifier: Apache-2.0
#include "server/api/router.h"

#include <chrono>

namespace qiao::server {
namespace {

bool fits(const Router::Route& route, std::string_view path) {
  if (!route.has_parameter) return path == route.prefix;
  return path.size() > route.prefix.size() + route.suffix.size() &&
         path.starts_with(route.prefix) && path.ends_with(route.suffix);
}

std::size_t fixed_text(const Router::Route& route) {
  return route.prefix.size() + route.suffix.size() + (route.has_parameter ? 0 : 1);
}

// Passes on to the real writer, and notes status and time of the answer once.
class MeasuredWriter final : public ResponseWriter {
 public:
  MeasuredWriter(Writer inner, Metrics& metrics, std::string route)
      : inner_(std::move(inner)),
        metrics_(metrics),
        route_(std::move(route)),
        begin_(std::chrono::steady_clock::now()) {}

  void respond(int status, HttpHeaders headers, std::string body) override {
    note(status);
    inner_->respond(status, with_common(std::move(headers)), std::move(body));
  }
  void begin(int status, HttpHeaders headers) override {
    note(status);
    inner_->begin(status, with_common(std::move(headers)));
  }
  Status write(std::string chunk) override { return inner_->write(std::move(chunk)); }
  void end() override { inner_->end(); }
  void on_close(std::function<void()> task) override { inner_->on_close(std::move(task)); }

 private:
  static HttpHeaders with_common(HttpHeaders headers) {
    headers.emplace_back("X-Content-Type-Options", "nosniff");
    headers.emplace_back("Cache-Control", "no-store");
    return headers;
  }

  void note(int status) {
    const std::string route = "route=\"" + route_ + "\"";
    metrics_
        .counter("qiao_http_requests_total", "Requests by route and status",
                 route + ",status=\"" + std::to_string(status) + "\"")
        .add();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
    metrics_.histogram("qiao_http_seconds", "Time to the answer or its first byte", route)
        .observe(took.count());
  }

  Writer inner_;
  Metrics& metrics_;
  std::string route_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Handler handler,
                 Access access) {
  Route route;
  route.method = method;
  route.pattern = pattern;
  const std::size_t open = pattern.find('{');
  const std::size_t close = pattern.find('}');
  route.has_parameter = open != std::string_view::npos;
  route.prefix = pattern.substr(0, open);
  if (route.has_parameter) route.suffix = pattern.substr(close + 1);
  route.access = access;
  route.handler = std::move(handler);
  routes_.push_back(std::move(route));
}

void Router::dispatch(HttpRequest request, Writer writer) const {
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  const Route* best = nullptr;
  std::string allowed;
  for (const Route& route : routes_) {
    if (!fits(route, request.path)) continue;
    if (route.method != method) {
      allowed += (allowed.empty() ? "" : ", ") + route.method;
    } else if (best == nullptr || fixed_text(route) > fixed_text(*best)) {
      best = &route;
    }
  }
  const std::string label = best != nullptr ? best->method + " " + best->pattern : "none";
  auto measured = std::make_shared<MeasuredWriter>(std::move(writer), metrics_, label);
  const Status passed = gate_(request, best != nullptr ? best->access : Access::kKey);
  if (!passed) return send_error(*measured, passed.error());
  if (best == nullptr && !allowed.empty()) {
    const Error error = invalid_argument(request.path + " takes " + allowed + ", not " + method);
    return send_json(*measured, 405, http_error_json(error), {{"Allow", allowed}});
  }
  if (best == nullptr) {
    return send_error(*measured, not_found("there is nothing at " + request.path +
                                           "; /openapi.json lists every path"));
  }
  Call call;
  call.parameter = request.path.substr(
      best->prefix.size(), request.path.size() - best->prefix.size() - best->suffix.size());
  call.request = std::move(request);
  call.writer = std::move(measured);
  best->handler(std::move(call));
}

}  // namespace qiao::server
