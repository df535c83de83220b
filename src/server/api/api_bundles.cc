// SPDX-License-Identifier: Apache-2.0
// Bundles: another version in the place of the one that is served, and back.
#include "server/api/api.h"
#include "server/api/fields.h"
#include "server/bundles.h"

namespace qiao::server {
namespace {

Bundles::Done answer_to(const Writer& writer) {
  return [writer](const Result<Json>& done) {
    if (!done) return send_error(*writer, done.error());
    send_json(*writer, 200, *done);
  };
}

Result<std::string> asked_for(const std::string& body) {
  QIAO_ASSIGN(const Json json, object_body(body));
  Fields fields(json);
  std::string what = fields.needed_text("bundle");
  QIAO_TRY(fields.finish());
  return what;
}

void promote(const ApiServices& services, const Call& call) {
  Result<std::string> what = asked_for(call.request.body);
  if (!what) return send_error(*call.writer, what.error());
  services.bundles->promote(call.parameter, std::move(*what), answer_to(call.writer));
}

void roll_back(const ApiServices& services, const Call& call) {
  services.bundles->roll_back(call.parameter, answer_to(call.writer));
}

}  // namespace

void add_bundle_routes(Router& router, const ApiServices& services) {
  using Handle = void (*)(const ApiServices&, const Call&);
  const auto add = [&](const char* path, Handle handle) {
    router.add("POST", path, [&services, handle](const Call& call) {
      if (services.bundles != nullptr) return handle(services, call);
      send_error(*call.writer, Error{Code::kUnsupported, "this server has no bundles"});
    });
  };
  add("/v1/models/{name}/promote", promote);
  add("/v1/models/{name}/rollback", roll_back);
}

}  // namespace qiao::server
