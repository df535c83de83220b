// SPDX-License-Identifier: Apache-2.0
// Publish, read back, list topics, request-reply.
#include "message/subject.h"
#include "server/api/api.h"
#include "server/api/fields.h"
#include "server/api/message_body.h"

namespace qiao::server {
namespace {

constexpr std::size_t kPublishMax = 1'000;  // messages of one call
constexpr std::size_t kReadDefault = 100;
constexpr std::size_t kReadMax = 1'000;
constexpr std::int64_t kRequestMs = 30'000;
constexpr std::int64_t kRequestMsMax = 10 * 60 * 1'000;

// "expected_last": an offset or "none"; it belongs to the call, not to the message.
Status take_expected(Json& body, Commit& commit) {
  if (!body.is_object() || !body.contains("expected_last")) return {};
  const Json value = std::move(body["expected_last"]);
  body.erase("expected_last");
  if (value.is_null()) return {};
  Expectation expectation{commit.publish.size(), std::nullopt};
  if (value.is_number_unsigned()) {
    expectation.last = value.get<std::uint64_t>();
  } else if (value != "none") {
    return invalid_argument("'expected_last' is an offset or \"none\"");
  }
  commit.expected.push_back(expectation);
  return {};
}

Status add_message(const std::string& subject, Json& body, Commit& commit) {
  QIAO_TRY(take_expected(body, commit));
  QIAO_ASSIGN(Message message, message_of(subject, body));
  commit.publish.push_back(std::move(message));
  return {};
}

Result<Commit> commit_of(const std::string& subject, Json& body) {
  Commit commit;
  if (!body.is_array()) {
    QIAO_TRY(add_message(subject, body, commit));
    return commit;
  }
  if (body.empty() || body.size() > kPublishMax) {
    return invalid_argument("a list of messages has 1 to " + std::to_string(kPublishMax));
  }
  commit.publish.reserve(body.size());
  for (Json& item : body) {
    if (Status added = add_message(subject, item, commit); !added) {
      return std::move(added.error()).with("message " + std::to_string(commit.publish.size()));
    }
  }
  return commit;
}

void publish(const ApiServices& services, const Call& call) {
  Result<Json> body = parse_json(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  const bool many = body->is_array();
  Result<Commit> commit = commit_of(call.parameter, *body);
  if (!commit) return send_error(*call.writer, commit.error());
  const auto form = [many](const std::vector<Published>& published) {
    Json list = published_json(published);
    return many ? Json{{"messages", std::move(list)}} : std::move(list.front());
  };
  services.broker.commit(std::move(*commit),
                         answer_with<std::vector<Published>>(call.writer, form));
}

void read(const ApiServices& services, const Call& call) {
  Query query(call.request.query);
  const std::uint64_t from = query.integer("from", 0, UINT64_MAX).value_or(0);
  const std::uint64_t limit = query.integer("limit", 1, kReadMax).value_or(kReadDefault);
  if (const Status good = query.finish(); !good) return send_error(*call.writer, good.error());
  const auto form = [](const Page& page) {
    Json list = Json::array();
    for (const StoredMessage& stored : page.messages)
      list.push_back(stored_json(stored.offset, stored.message));
    return Json{{"messages", std::move(list)}, {"next", page.next}};
  };
  services.broker.read(call.parameter, from, limit, answer_with<Page>(call.writer, form));
}

void list_topics(const ApiServices& services, const Call& call) {
  services.broker.topics(
      answer_with<std::vector<TopicInfo>>(call.writer, [](const std::vector<TopicInfo>& topics) {
        Json list = Json::array();
        for (const TopicInfo& topic : topics) {
          list.push_back({{"subject", topic.subject},
                          {"messages", topic.messages},
                          {"first", topic.first},
                          {"last", topic.last},
                          {"bytes", topic.bytes},
                          {"settings", topic.settings.empty() ? Json() : Json(topic.settings)}});
        }
        return Json{{"topics", std::move(list)}};
      }));
}

void request(const ApiServices& services, const Call& call) {
  Result<Json> body = object_body(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Fields fields(*body);
  const std::int64_t timeout_ms =
      fields.integer("timeout_ms", 1, kRequestMsMax).value_or(kRequestMs);
  body->erase("timeout_ms");
  Result<Message> message = message_of(call.parameter, *body);
  if (message && !message->reply_to.empty()) {
    message = invalid_argument("'reply_to' is made by the server for a request");
  }
  if (!message) return send_error(*call.writer, message.error());
  if (message->id.empty()) message->id = services.ids.next();
  call.writer->on_close([&services, id = message->id] { services.broker.cancel_request(id); });
  services.broker.request(
      std::move(*message), timeout_ms,
      answer_with<Message>(call.writer, [](const Message& reply) { return qiao::to_json(reply); }));
}

}  // namespace

void add_topic_routes(Router& router, const ApiServices& services) {
  router.add("GET", "/v1/topics", [&services](const Call& call) { list_topics(services, call); });
  router.add("POST", "/v1/topics/{subject}/messages",
             [&services](const Call& call) { publish(services, call); });
  router.add("GET", "/v1/topics/{pattern}/messages",
             [&services](const Call& call) { read(services, call); });
  router.add("POST", "/v1/topics/{subject}/requests",
             [&services](const Call& call) { request(services, call); });
}

}  // namespace qiao::server
