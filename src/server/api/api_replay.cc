// SPDX-License-Identifier: Apache-2.0
// Replay and fork of a conversation.
#include <algorithm>

#include "flow/replay/replay.h"
#include "server/api/api.h"
#include "server/api/fields.h"
#include "server/bundles.h"
#include "server/replays.h"

namespace qiao::server {
namespace {

constexpr std::int64_t kHistoryWaitMs = 5'000;

// What has been answered so far.
Status wait_for_all(const ApiServices& services) {
  return services.history.wait_for(services.log.bounds().durable, kHistoryWaitMs);
}

struct Chosen {
  const FlowConfig* flow = nullptr;
  std::vector<RecordedTurn> turns;
};

// The flow named, or the first that has answered in the conversation.
Result<Chosen> choose(const ApiServices& services, const std::string& name,
                      const std::string& conversation) {
  QIAO_TRY(wait_for_all(services));
  if (!name.empty() && find_flow(services.flows, name) == nullptr)
    return not_found("there is no flow '" + name + "'");
  for (const auto& flow : services.flows) {
    if (!name.empty() && flow->config().name != name) continue;
    auto turns = recorded_turns(services.history, flow->config(), conversation);
    if (turns) return Chosen{&flow->config(), std::move(*turns)};
    if (turns.error().code != Code::kNotFound) return turns.error();
  }
  return not_found("no flow has answered anything in the conversation '" + conversation + "'");
}

Json to_json(const ReplayedTurn& turn) {
  Json json{{"message_id", turn.message_id},
            {"question", turn.question},
            {"same", !turn.difference.has_value()},
            {"then", {{"reply", turn.reply_then}, {"decision", turn.decision_then}}},
            {"now", {{"reply", turn.reply_now}, {"decision", turn.decision_now}}}};
  if (turn.difference) {
    json["difference"] = {{"at", turn.difference->at},
                          {"then", turn.difference->then},
                          {"now", turn.difference->now}};
  }
  return json;
}

struct ReplayWish {
  std::string conversation;
  std::string flow;
  bool live = false;
  std::string model;  // in the place of the flow's chat models
};

Result<ModelSet> models_for(const ApiServices& services, const FlowConfig& config,
                            const std::string& model) {
  ModelSet models = services.models;
  if (model.empty()) return models;
  const auto alias = services.model_aliases.find(model);
  const auto found = models.find(alias == services.model_aliases.end() ? model : alias->second);
  if (found == models.end())
    return not_found("the server has no model '" + model + "'; GET /v1/status lists its models");
  for (const AgentConfig& agent : config.agents) {
    const bool asks = agent.kind == AgentKind::kModel || agent.kind == AgentKind::kTable;
    if (asks) models[agent.model] = found->second;
  }
  return models;
}

Result<Json> replay_now(const ApiServices& services, const ReplayWish& wish,
                        const std::stop_token& stop) {
  QIAO_ASSIGN(const Chosen chosen, choose(services, wish.flow, wish.conversation));
  ReplayOptions options;
  options.live = wish.live;
  options.stop = stop;
  if (services.bundles != nullptr) options.bundles = &services.bundles->set();
  QIAO_ASSIGN(options.models, models_for(services, *chosen.flow, wish.model));
  QIAO_ASSIGN(const std::vector<ReplayedTurn> turns,
              replay_turns(*chosen.flow, chosen.turns, options));
  const auto first = std::find_if(turns.begin(), turns.end(),
                                  [](const auto& turn) { return turn.difference.has_value(); });
  Json list = Json::array();
  for (const ReplayedTurn& turn : turns) list.push_back(to_json(turn));
  return Json{{"conversation", wish.conversation},
              {"flow", chosen.flow->name},
              {"live", wish.live},
              {"same", first == turns.end()},
              {"first_difference", first == turns.end() ? Json() : Json(first->message_id)},
              {"turns", std::move(list)}};
}

void replay(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  ReplayWish wish;
  wish.conversation = call.parameter;
  wish.flow = fields.text("flow").value_or("");
  wish.live = fields.flag("live").value_or(false);
  wish.model = fields.text("model").value_or("");
  if (!wish.model.empty() && !wish.live) fields.fault("'model' needs 'live': true");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  const Status started =
      services.replays.start([&services, wish, writer = call.writer](const std::stop_token& stop) {
        const Result<Json> done = replay_now(services, wish, stop);
        done ? send_json(*writer, 200, *done) : send_error(*writer, done.error());
      });
  if (!started) send_error(*call.writer, started.error());
}

bool has_message(const RecordedTurn& turn, const std::string& id) {
  const auto is_it = [&id](const StoredMessage& stored) { return stored.message.id == id; };
  return is_it(turn.question) || std::any_of(turn.followers.begin(), turn.followers.end(), is_it) ||
         (turn.reply && turn.reply->id == id);
}

struct Fork {
  std::string from;
  std::string at;  // a message of the last turn that both have
  std::string as;
};

// The events that make it: where its past ends, and how the conversation stood there.
Result<std::vector<record::Event>> events_of_fork(const ApiServices& services, const Fork& fork) {
  QIAO_ASSIGN(const Chosen chosen, choose(services, "", fork.from));
  const auto turn =
      std::find_if(chosen.turns.begin(), chosen.turns.end(),
                   [&fork](const RecordedTurn& one) { return has_message(one, fork.at); });
  if (turn == chosen.turns.end())
    return not_found("the conversation '" + fork.from + "' has no answered message '" + fork.at +
                     "'; GET /v1/conversations/" + fork.from + "/messages lists them");
  QIAO_ASSIGN(const auto taken, services.history.events(fork.as, 1));
  QIAO_ASSIGN(const auto said, services.history.messages(fork.as, 1));
  if (!taken.empty() || !said.empty())
    return Error{Code::kAlreadyExists, "there is a conversation '" + fork.as + "' already"};
  QIAO_ASSIGN(const auto events, services.history.events_of_message(turn->question.message.id));
  const auto state = std::find_if(events.begin(), events.end(), [&turn](const HistoryEvent& entry) {
    return entry.event.type == "conversation" && entry.offset + 1 == turn->end;
  });
  if (state == events.end()) return internal("the turn left no state of its conversation");
  record::Event forked;
  forked.conversation = fork.as;
  forked.type = "forked";
  forked.data = Json{{"from", fork.from}, {"at", fork.at}, {"before", turn->end}};
  record::Event standing;
  standing.conversation = fork.as;
  standing.type = "conversation";
  standing.data = state->event.data;
  return std::vector<record::Event>{std::move(forked), std::move(standing)};
}

void fork(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  Fork wish;
  wish.from = call.parameter;
  wish.at = fields.needed_text("at");
  wish.as = fields.text("as").value_or(services.ids.next());
  if (wish.as.empty() || wish.as.size() > kIdBytesMax)
    fields.fault("'as' is a conversation's id of 1 to 128 bytes");
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  const auto work = [&services, wish, writer = call.writer] {
    Result<std::vector<record::Event>> events = events_of_fork(services, wish);
    if (!events) return send_error(*writer, events.error());
    Commit commit;
    commit.events = std::move(*events);
    const Json answer{{"conversation", wish.as}, {"from", wish.from}, {"at", wish.at}};
    services.broker.commit(
        std::move(commit),
        answer_with<std::vector<Published>>(writer, [answer](const auto&) { return answer; }));
  };
  if (const Status posted = services.readers.post(work); !posted)
    send_error(*call.writer, posted.error());
}

}  // namespace

void add_replay_routes(Router& router, const ApiServices& services) {
  router.add("POST", "/v1/conversations/{id}/replay",
             [&services](const Call& call) { replay(services, call); });
  router.add("POST", "/v1/conversations/{id}/fork",
             [&services](const Call& call) { fork(services, call); });
}

}  // namespace qiao::server
