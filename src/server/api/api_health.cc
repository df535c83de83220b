// SPDX-License-Identifier: Apache-2.0
// Liveness, readiness, metrics, and what is compiled in: the description and the page.
#include "server/api/api.h"
#include "server/assets.h"

namespace qiao::server {
namespace {

// Nothing from elsewhere, nothing written into the page: what a model says cannot become code.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void ready(const ApiServices& services, const Call& call) {
  const Readiness readiness = services.readiness();
  Json waiting = Json::array();
  for (const std::string& what : readiness.waiting) waiting.push_back(what);
  send_json(*call.writer, readiness.ready ? 200 : 503,
            Json{{"ready", readiness.ready}, {"waiting", std::move(waiting)}});
}

void add_asset(Router& router, std::string_view path, std::string_view type,
               std::string_view content) {
  router.add(
      "GET", path,
      [type, content](const Call& call) {
        call.writer->respond(200,
                             {{"Content-Type", std::string(type)},
                              {"Content-Security-Policy", kPagePolicy},
                              {"Referrer-Policy", "no-referrer"}},
                             std::string(content));
      },
      Access::kOpen);
}

}  // namespace

void add_health_routes(Router& router, const ApiServices& services) {
  router.add(
      "GET", "/healthz",
      [](const Call& call) {
        send_json(*call.writer, 200, Json{{"alive", true}});
      },
      Access::kOpen);
  router.add(
      "GET", "/readyz", [&services](const Call& call) { ready(services, call); }, Access::kOpen);
  router.add("GET", "/metrics", [&services](const Call& call) {
    call.writer->respond(200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                         services.metrics.text());
  });
  add_asset(router, "/openapi.json", "application/json", assets::openapi());
  add_asset(router, "/", "text/html; charset=utf-8", assets::page_html());
  add_asset(router, "/page.css", "text/css; charset=utf-8", assets::page_css());
  add_asset(router, "/page.js", "text/javascript; charset=utf-8", assets::page_js());
}

}  // namespace qiao::server
