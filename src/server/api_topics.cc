// SPDX-License-Identifier: Apache-2.0
// Publish, read back, list topics, request-reply.
#include "message/subject.h"
#include "server/api.h"
#include "server/fields.h"
#include "server/message_body.h"

namespace qiao::server {
namespace {

constexpr std::size_t kPublishMax = 1'000;  // messages of one call
constexpr std::size_t kReadDefault = 100;
constexpr std::size_t kReadMax = 1'000;
constexpr std::int64_t kRequestMs = 30'000;
constexpr std::int64_t kRequestMsMax = 10 * 60 * 1'000;

Result<std::vector<Message>> messages_of(const std::string& subject, const Json& body) {
  std::vector<Message> messages;
  if (!body.is_array()) {
    QIAO_ASSIGN(Message message, message_of(subject, body));
    messages.push_back(std::move(message));
    return messages;
  }
  if (body.empty() || body.size() > kPublishMax) {
    return invalid_argument("a list of messages has 1 to " + std::to_string(kPublishMax));
  }
  messages.reserve(body.size());
  for (const Json& item : body) {
    Result<Message> message = message_of(subject, item);
    if (!message) {
      return std::move(message.error()).with("message " + std::to_string(messages.size()));
    }
    messages.push_back(std::move(*message));
  }
  return messages;
}

void publish(const ApiServices& services, const Call& call) {
  const Result<Json> body = parse_json(call.request.body);
  if (!body) return send_error(*call.writer, body.error());
  Result<std::vector<Message>> messages = messages_of(call.parameter, *body);
  if (!messages) return send_error(*call.writer, messages.error());
  const bool many = body->is_array();
  const auto form = [many](const std::vector<Published>& published) {
    Json list = published_json(published);
    return many ? Json{{"messages", std::move(list)}} : std::move(list.front());
  };
  services.broker.publish(std::move(*messages),
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
                          {"last", topic.last}});
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
