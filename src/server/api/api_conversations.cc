// SPDX-License-Identifier: Apache-2.0
// Conversations, their messages and events, and search.
#include "server/api/api.h"
#include "server/api/event_json.h"
#include "server/api/fields.h"
#include "server/api/message_body.h"

namespace qiao::server {
namespace {

constexpr std::size_t kLimitDefault = 50;
constexpr std::size_t kLimitMax = 1'000;
constexpr std::int64_t kTypingMs = 4'000;

Json messages_json(const std::vector<HistoryMessage>& messages) {
  Json list = Json::array();
  for (const auto& [offset, message] : messages) list.push_back(stored_json(offset, message));
  return Json{{"messages", std::move(list)}};
}

Json to_json(const ConversationInfo& info) {
  return Json{{"conversation", info.conversation}, {"messages", info.messages},
              {"first_ms", info.first_ms},         {"last_ms", info.last_ms},
              {"last_text", info.last_text},       {"state", info.state}};
}

Result<std::size_t> limit_of(Query& query) {
  const std::uint64_t limit = query.integer("limit", 1, kLimitMax).value_or(kLimitDefault);
  QIAO_TRY(query.finish());
  return static_cast<std::size_t>(limit);
}

void list_conversations(const ApiServices& services, const Call& call) {
  Query query(call.request.query);
  const std::uint64_t before_ms = query.integer("before_ms", 0, INT64_MAX).value_or(0);
  const Result<std::size_t> limit = limit_of(query);
  if (!limit) return send_error(*call.writer, limit.error());
  answer_from_history(services, call.writer,
                      [limit = *limit, before_ms](History& history) -> Result<Json> {
                        QIAO_ASSIGN(const std::vector<ConversationInfo> found,
                                    history.conversations(limit, before_ms));
                        Json list = Json::array();
                        for (const ConversationInfo& info : found) list.push_back(to_json(info));
                        return Json{{"conversations", std::move(list)}};
                      });
}

void list_messages(const ApiServices& services, const Call& call) {
  Query query(call.request.query);
  const Result<std::size_t> limit = limit_of(query);
  if (!limit) return send_error(*call.writer, limit.error());
  answer_from_history(services, call.writer,
                      [id = call.parameter, limit = *limit](History& history) -> Result<Json> {
                        QIAO_ASSIGN(const std::vector<HistoryMessage> found,
                                    history.messages(id, limit));
                        return messages_json(found);
                      });
}

void list_events(const ApiServices& services, const Call& call) {
  Query query(call.request.query);
  const Result<std::size_t> limit = limit_of(query);
  if (!limit) return send_error(*call.writer, limit.error());
  answer_from_history(services, call.writer,
                      [id = call.parameter, limit = *limit](History& history) -> Result<Json> {
                        QIAO_ASSIGN(const std::vector<HistoryEvent> found,
                                    history.events(id, limit));
                        return Json{{"events", events_json(found)}};
                      });
}

void search(const ApiServices& services, const Call& call) {
  Query query(call.request.query);
  const std::string words = query.text("q").value_or("");
  const Result<std::size_t> limit = limit_of(query);
  if (!limit) return send_error(*call.writer, limit.error());
  if (words.empty()) return send_error(*call.writer, invalid_argument("query 'q' is missing"));
  answer_from_history(
      services, call.writer, [words, limit = *limit](History& history) -> Result<Json> {
        QIAO_ASSIGN(const std::vector<HistoryMessage> found, history.search(words, limit));
        return messages_json(found);
      });
}

// The turn gates of flows wait for who types.
void typing(const ApiServices& services, const Call& call) {
  const Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  const std::int64_t for_ms =
      fields.integer("for_ms", 0, FlowEngine::kTypingMsMax).value_or(kTypingMs);
  if (const Status good = fields.finish(); !good) return send_error(*call.writer, good.error());
  for (const auto& flow : services.flows) flow->typing(call.parameter, for_ms);
  send_json(*call.writer, 200, Json{{"for_ms", for_ms}});
}

}  // namespace

void add_conversation_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/conversations",
             [&services](const Call& call) { list_conversations(services, call); });
  router.add("GET", "/v1/conversations/{id}/messages",
             [&services](const Call& call) { list_messages(services, call); });
  router.add("GET", "/v1/conversations/{id}/events",
             [&services](const Call& call) { list_events(services, call); });
  router.add("POST", "/v1/conversations/{id}/typing",
             [&services](const Call& call) { typing(services, call); });
  router.add("GET", "/v1/search", [&services](const Call& call) { search(services, call); });
}

}  // namespace qiao::server
