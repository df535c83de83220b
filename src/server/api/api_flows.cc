// SPDX-License-Identifier: Apache-2.0
// Flows, and the state of the server.
#include "server/api/api.h"
#include "server/bundles.h"
#include "server/version.h"

namespace qiao::server {
namespace {

Json list_json(const std::vector<std::string>& items) {
  Json list = Json::array();
  for (const std::string& item : items) list.push_back(item);
  return list;
}

Json flow_json(const FlowEngine& flow) {
  Json json = qiao::to_json(flow.config());
  json["lacks"] = list_json(flow.lacks());
  return json;
}

Json to_json(const std::string& name, const ModelInfo& info) {
  return Json{{"name", name},
              {"kind", info.kind},
              {"where", info.where},
              {"context_tokens", info.context_tokens},
              {"embedding_size", info.embedding_size},
              {"slots", info.slots},
              {"ready", info.ready},
              {"note", info.note},
              {"resident_bytes", info.resident_bytes},
              {"restarts", info.restarts}};
}

Json log_json(const Log& log) {
  const LogBounds bounds = log.bounds();
  return Json{{"first", bounds.first},
              {"next", bounds.next},
              {"durable", bounds.durable},
              {"durability", name_of(log.durability())}};
}

Json status_json(const ApiServices& services) {
  const Readiness readiness = services.readiness();
  Json json;
  json["version"] = version();
  json["uptime_s"] = (services.clock.steady_us() - services.started_us) / 1'000'000;
  json["ready"] = readiness.ready;
  json["waiting"] = list_json(readiness.waiting);
  json["models"] = Json::array();
  for (const auto& [name, model] : services.models)
    json["models"].push_back(to_json(name, model->info()));
  if (services.bundles != nullptr) {
    for (const Json& bundle : services.bundles->list()) json["models"].push_back(bundle);
  }
  json["flows"] = Json::array();
  for (const auto& flow : services.flows) {
    json["flows"].push_back({{"name", flow->config().name}, {"lacks", list_json(flow->lacks())}});
  }
  json["log"] = log_json(services.log);
  return json;
}

}  // namespace

void add_flow_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/flows", [&services](const Call& call) {
    Json list = Json::array();
    for (const auto& flow : services.flows) list.push_back(flow_json(*flow));
    send_json(*call.writer, 200, Json{{"flows", std::move(list)}});
  });
  router.add("GET", "/v1/flows/{name}", [&services](const Call& call) {
    const FlowEngine* flow = find_flow(services.flows, call.parameter);
    if (flow == nullptr) {
      return send_error(*call.writer, not_found("there is no flow '" + call.parameter + "'"));
    }
    send_json(*call.writer, 200, flow_json(*flow));
  });
  router.add("GET", "/v1/status", [&services](const Call& call) {
    send_json(*call.writer, 200, status_json(services));
  });
}

}  // namespace qiao::server
