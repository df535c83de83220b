// SPDX-License-Identifier: Apache-2.0
// The OpenAI surface: every flow and every model is a model there.
#include "server/api/api.h"
#include "server/api/fields.h"
#include "server/openai/openai_chat.h"
#include "server/openai/openai_embeddings.h"

namespace qiao::server {
namespace {

Json model_json(const ApiServices& services, const std::string& id, const std::string& kind,
                bool ready) {
  const std::int64_t up_us = services.clock.steady_us() - services.started_us;
  return Json{{"id", id},
              {"object", "model"},
              {"created", services.clock.wall_ms() / 1'000 - up_us / 1'000'000},
              {"owned_by", "qiao"},
              {"qiao", {{"kind", kind}, {"ready", ready}}}};
}

Json models_json(const ApiServices& services) {
  Json data = Json::array();
  for (const auto& flow : services.flows)
    data.push_back(model_json(services, flow->config().name, "flow", true));
  for (const auto& [name, model] : services.models) {
    const ModelInfo info = model->info();
    data.push_back(model_json(services, name, info.kind, info.ready));
  }
  for (const auto& [alias, name] : services.model_aliases) {
    const ModelInfo info = services.models.at(name)->info();
    data.push_back(model_json(services, alias, info.kind, info.ready));
  }
  return data;
}

Error no_model(const std::string& name) {
  return not_found("there is no flow or model '" + name + "'; GET /v1/models lists what is here");
}

void retrieve_model(const ApiServices& services, const Call& call) {
  for (const Json& model : models_json(services)) {
    if (model["id"] == call.parameter) return send_json(*call.writer, 200, model);
  }
  send_error(*call.writer, no_model(call.parameter));
}

void chat(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<ChatRequest> request = read_chat_request(*body);
  if (!request) return send_error(*call.writer, request.error());
  const auto header = call.request.headers.find("qiao-conversation");
  if (header != call.request.headers.end()) request->conversation = header->second;
  if (FlowEngine* flow = find_flow(services.flows, request->model))
    return chat_with_flow(services, *flow, std::move(*request), call.writer);
  const std::shared_ptr<Model> model = find_model(services, request->model);
  if (!model) return send_error(*call.writer, no_model(request->model));
  if (model->info().kind == "encoder") {
    return send_error(*call.writer, Error{Code::kUnsupported, "'" + request->model +
                                                                  "' is an encoder and writes no "
                                                                  "answers; use /v1/embeddings"});
  }
  chat_with_model(services, model, std::move(*request), call.writer);
}

}  // namespace

void add_openai_routes(Router& router, const ApiServices& services) {
  router.add("POST", "/v1/chat/completions",
             [&services](const Call& call) { chat(services, call); });
  router.add("POST", "/v1/embeddings",
             [&services](const Call& call) { answer_embeddings(services, call); });
  router.add("GET", "/v1/models", [&services](const Call& call) {
    send_json(*call.writer, 200, Json{{"object", "list"}, {"data", models_json(services)}});
  });
  router.add("GET", "/v1/models/{id}",
             [&services](const Call& call) { retrieve_model(services, call); });
}

}  // namespace qiao::server
