// SPDX-License-Identifier: Apache-2.0
// How topics are kept: settings by pattern.
#include "message/subject.h"
#include "server/api/api.h"
#include "server/api/fields.h"

namespace qiao::server {
namespace {

Json to_json(const TopicSpec& spec) {
  return Json{{"pattern", spec.pattern},
              {"retain_ms", spec.retain_ms},
              {"retain_messages", spec.retain_messages},
              {"retain_bytes", spec.retain_bytes},
              {"compact", spec.compact},
              {"drop_unacked", spec.drop_unacked},
              {"backlog_max", spec.backlog_max}};
}

Result<TopicSpec> spec_of(const std::string& pattern, const Json& body) {
  TopicSpec spec;
  spec.pattern = pattern;
  Fields fields(body);
  const auto bound = [&fields](std::string_view key) {
    return static_cast<std::uint64_t>(fields.integer(key, 0, INT64_MAX).value_or(0));
  };
  spec.retain_ms = fields.integer("retain_ms", 0, INT64_MAX).value_or(0);
  spec.retain_messages = bound("retain_messages");
  spec.retain_bytes = bound("retain_bytes");
  spec.backlog_max = bound("backlog_max");
  spec.compact = fields.flag("compact").value_or(false);
  spec.drop_unacked = fields.flag("drop_unacked").value_or(false);
  QIAO_TRY(fields.finish());
  return spec;
}

void set(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<TopicSpec> spec = spec_of(call.parameter, *body);
  if (!spec) return send_error(*call.writer, spec.error());
  services.broker.set_topic(std::move(*spec), answer_done(call.writer));
}

void erase(const ApiServices& services, const Call& call) {
  services.broker.erase_topic_settings(call.parameter, answer_done(call.writer));
}

void show(const ApiServices& services, const Call& call) {
  services.broker.settings_of(
      call.parameter,
      answer_with<TopicSpec>(call.writer, [](const TopicSpec& spec) { return to_json(spec); }));
}

void list(const ApiServices& services, const Call& call) {
  services.broker.topic_settings(
      answer_with<std::vector<TopicSpec>>(call.writer, [](const std::vector<TopicSpec>& specs) {
        Json list = Json::array();
        for (const TopicSpec& spec : specs) list.push_back(to_json(spec));
        return Json{{"settings", std::move(list)}};
      }));
}

}  // namespace

void add_topic_settings_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/topic-settings", [&services](const Call& call) { list(services, call); });
  router.add("GET", "/v1/topics/{pattern}/settings",
             [&services](const Call& call) { show(services, call); });
  router.add("PUT", "/v1/topics/{pattern}/settings",
             [&services](const Call& call) { set(services, call); });
  router.add("DELETE", "/v1/topics/{pattern}/settings",
             [&services](const Call& call) { erase(services, call); });
}

}  // namespace qiao::server
