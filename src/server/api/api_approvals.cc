// SPDX-License-Identifier: Apache-2.0
// Proposals of flows that wait for a person's decision.
#include "flow/turn/approval.h"
#include "server/api/api.h"
#include "server/api/fields.h"

namespace qiao::server {
namespace {

struct Waiting {
  std::string id;
  std::string flow;
  std::string replies;
  ParkedMessage parked;
};
using OnWaiting = std::function<void(Result<std::vector<Waiting>>)>;

// Of the flows from `at` on, one after another; at most the broker's read limit of each.
void gather(const ApiServices& services, std::size_t at, std::vector<Waiting> found,
            const OnWaiting& done) {
  if (at >= services.flows.size()) return done(std::move(found));
  const FlowConfig& flow = services.flows[at]->config();
  services.broker.parked(
      "flow." + flow.name, [&services, &flow, at, done, found = std::move(found)](
                               Result<std::vector<ParkedMessage>> parked) mutable {
        if (!parked) return done(std::move(parked.error()));
        for (ParkedMessage& message : *parked) {
          if (!message.reason.starts_with(flow::kParkReason)) continue;
          std::string id = message.reason.substr(flow::kParkReason.size());
          found.push_back({std::move(id), flow.name, flow.replies, std::move(message)});
        }
        gather(services, at + 1, std::move(found), done);
      });
}

// The context that the flow put into its proposal, and until when it waits now.
Json to_json(History& history, const Waiting& waiting) {
  Json json{{"id", waiting.id},
            {"flow", waiting.flow},
            {"conversation", waiting.parked.message.conversation},
            {"text", waiting.parked.message.text()}};
  for (const std::string& id : {waiting.id, waiting.id + ".2"}) {
    const auto proposal = history.message(id);
    if (!proposal) continue;
    for (const Part& part : proposal->message.parts) {
      if (part.kind != Part::Kind::kJson) continue;
      if (auto context = parse_json(part.data); context && context->is_object())
        json.update(*context);
    }
    json["asked_ms"] = proposal->message.time_ms;
  }
  json["until_ms"] = waiting.parked.until_ms;
  return json;
}

// A turn parks before its proposal is durable: the answer waits for that.
void list(const ApiServices& services, const Call& call) {
  gather(services, 0, {}, [&services, writer = call.writer](Result<std::vector<Waiting>> waiting) {
    if (!waiting) return send_error(*writer, waiting.error());
    const std::uint64_t parked_until = services.log.bounds().next;
    answer_from_history(
        services, writer,
        [waiting = std::move(*waiting)](History& history) -> Result<Json> {
          Json approvals = Json::array();
          for (const Waiting& one : waiting) approvals.push_back(to_json(history, one));
          return Json{{"approvals", std::move(approvals)}};
        },
        parked_until);
  });
}

Message decision_message(const Waiting& waiting, const std::string& decision,
                         const std::string& note, const std::string& by) {
  Message message = text_message(waiting.replies, note, waiting.parked.message.conversation);
  if (note.empty()) message.parts.clear();
  message.id = "decision." + waiting.id;  // the first one counts
  message.source = "desk/" + by;
  message.cause = waiting.id;
  message.headers[std::string(flow::kApprovalHeader)] = waiting.id;
  message.headers[std::string(flow::kDecisionHeader)] = decision;
  message.headers[std::string(flow::kParkedHeader)] = std::to_string(waiting.parked.offset);
  return message;
}

void decide(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  const std::string decision = fields.needed_text("decision");
  const std::string note = fields.text("note").value_or("");
  const std::string by = fields.text("by").value_or("somebody");
  if (!decision.empty() && decision != "approve" && decision != "deny")
    fields.fault("'decision' is approve or deny");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  gather(services, 0, {},
         [&services, writer = call.writer, id = call.parameter, decision, note,
          by](const Result<std::vector<Waiting>>& waiting) {
           if (!waiting) return send_error(*writer, waiting.error());
           const auto found = std::find_if(waiting->begin(), waiting->end(),
                                           [&](const Waiting& one) { return one.id == id; });
           if (found == waiting->end())
             return send_error(*writer, not_found("no proposal '" + id + "' waits for a decision"));
           services.broker.publish(
               {decision_message(*found, decision, note, by)},
               [writer, id, decision](const Result<std::vector<Published>>& published) {
                 if (!published) return send_error(*writer, published.error());
                 if (published->front().duplicate) {
                   return send_error(*writer, Error{Code::kConflict, "the proposal '" + id +
                                                                         "' is decided already"});
                 }
                 send_json(*writer, 200, Json{{"id", id}, {"decision", decision}});
               });
         });
}

}  // namespace

void add_approval_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/approvals", [&services](const Call& call) { list(services, call); });
  router.add("POST", "/v1/approvals/{id}",
             [&services](const Call& call) { decide(services, call); });
}

}  // namespace qiao::server
