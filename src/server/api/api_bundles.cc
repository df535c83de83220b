// SPDX-License-Identifier: Apache-2.0
// Bundles: another version in the place of the one that is served, and back; beside it, a shadow.
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

Result<Bundles::ShadowWish> wished_for(const Call& call) {
  QIAO_ASSIGN(const Language language, asked_language(call.request.query));
  QIAO_ASSIGN(const Json json, object_body(call.request.body));
  Fields fields(json);
  Bundles::ShadowWish wish{call.parameter, fields.needed_text("bundle"), 100, language};
  wish.percent = static_cast<int>(fields.integer("percent", 1, 100).value_or(wish.percent));
  QIAO_TRY(fields.finish());
  return wish;
}

void begin_shadow(const ApiServices& services, const Call& call) {
  Result<Bundles::ShadowWish> wish = wished_for(call);
  if (!wish) return send_error(*call.writer, wish.error());
  services.bundles->begin_shadow(std::move(*wish), answer_to(call.writer));
}

void end_shadow(const ApiServices& services, const Call& call) {
  const Result<Language> language = asked_language(call.request.query);
  if (!language) return send_error(*call.writer, language.error());
  services.bundles->end_shadow(call.parameter, *language, answer_to(call.writer));
}

void report_shadow(const ApiServices& services, const Call& call) {
  const Result<Language> language = asked_language(call.request.query);
  if (!language) return send_error(*call.writer, language.error());
  answer_to(call.writer)(services.bundles->shadow_report(call.parameter, *language));
}

}  // namespace

void add_bundle_routes(Router& router, const ApiServices& services) {
  using Handle = void (*)(const ApiServices&, const Call&);
  const auto add = [&](const char* method, const char* path, Handle handle) {
    router.add(method, path, [&services, handle](const Call& call) {
      if (services.bundles != nullptr) return handle(services, call);
      send_error(*call.writer, Error{Code::kUnsupported, "this server has no bundles"});
    });
  };
  add("POST", "/v1/models/{name}/promote", promote);
  add("POST", "/v1/models/{name}/rollback", roll_back);
  add("POST", "/v1/models/{name}/shadow", begin_shadow);
  add("GET", "/v1/models/{name}/shadow", report_shadow);
  add("DELETE", "/v1/models/{name}/shadow", end_shadow);
}

}  // namespace qiao::server
