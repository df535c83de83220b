// SPDX-License-Identifier: Apache-2.0
// One message, and why it went where it went.
#include "base/language.h"
#include "route/route.h"
#include "server/api/api.h"
#include "server/api/event_json.h"
#include "server/api/fields.h"
#include "server/api/message_body.h"

namespace qiao::server {
namespace {

// The last event of a type is the one that holds: an earlier attempt was superseded.
Json last_of(const std::vector<HistoryEvent>& events, std::string_view type) {
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if (event->event.type == type) return event->event.data;
  }
  return nullptr;
}

Result<Json> why(History& history, const std::string& id, Language language) {
  QIAO_ASSIGN(const HistoryMessage found, history.message(id));
  QIAO_ASSIGN(const std::vector<HistoryEvent> events, history.events_of_message(id));
  Json json;
  json["message"] = stored_json(found.offset, found.message);
  json["decision"] = last_of(events, "decision");
  json["explanation"] = nullptr;
  if (const Result<Decision> decision = decision_from_json(json["decision"]); decision)
    json["explanation"] = explain(*decision, language);
  json["annotations"] = last_of(events, "understood");
  json["events"] = events_json(events);
  return json;
}

void cancel(const ApiServices& services, const Call& call) {
  for (const auto& flow : services.flows) flow->cancel(call.parameter);
  services.broker.cancel_request(call.parameter);
  send_json(*call.writer, 200, Json::object());
}

}  // namespace

void add_message_routes(Router& router, const ApiServices& services) {
  router.add("POST", "/v1/messages/{id}/cancel",
             [&services](const Call& call) { cancel(services, call); });
  router.add("GET", "/v1/messages/{id}", [&services](const Call& call) {
    answer_from_history(services, call.writer, [id = call.parameter](History& history) {
      Result<HistoryMessage> found = history.message(id);
      if (!found) return Result<Json>(std::move(found.error()));
      return Result<Json>(stored_json(found->offset, found->message));
    });
  });
  router.add("GET", "/v1/messages/{id}/why", [&services](const Call& call) {
    const Result<Language> language = asked_language(call.request.query);
    if (!language) return send_error(*call.writer, language.error());
    answer_from_history(services, call.writer,
                        [id = call.parameter, language = *language](History& history) {
                          return why(history, id, language);
                        });
  });
}

}  // namespace qiao::server
