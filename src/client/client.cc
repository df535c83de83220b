// SPDX-License-Identifier: Apache-2.0
#include "client/client.h"

#include "client/exchange.h"

namespace qiao {
namespace {

// Room for the answer to travel after the server's own time limit.
constexpr std::int64_t kTravelMs = 5'000;

Error strange_answer(const std::string& what) {
  return internal("the server's answer has no " + what + "; is it a Qiao server of this version?");
}

Result<Accepted> accepted_from_json(const Json& json) {
  const auto id = json_string(json, "id");
  const auto offset = json_integer(json, "offset");
  if (!id || !offset) return strange_answer("id and offset");
  return Accepted{*id, static_cast<std::uint64_t>(*offset),
                  json_string(json, "durability").value_or(""),
                  json_bool(json, "duplicate").value_or(false)};
}

std::string topic_path(const std::string& subject, std::string_view what) {
  return "/v1/topics/" + url_escape(subject) + "/" + std::string(what);
}

}  // namespace

std::string url_escape(std::string_view segment) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : segment) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

Result<ReceivedMessage> received_from_json(const Json& json) {
  QIAO_ASSIGN(Message message, message_from_json(json));
  const auto offset = json_integer(json, "offset").value_or(0);
  return ReceivedMessage{static_cast<std::uint64_t>(offset), std::move(message)};
}

Result<Json> Client::call(const std::string& method, const std::string& path, const Json& body,
                          std::int64_t timeout_ms, std::stop_token stop) const {
  FetchRequest request = client::make_request(server_, method, path, body);
  request.timeout_ms = timeout_ms;
  QIAO_ASSIGN(const FetchResponse response, client::exchange(server_, request, std::move(stop)));
  if (response.status >= 400) return client::error_of(server_, response.status, response.body);
  if (response.body.empty()) return Json::object();
  return parse_json(response.body);
}

Result<Accepted> Client::publish(const Message& message,
                                 std::optional<ExpectedLast> expected) const {
  Json body = to_json(message);
  if (expected && expected->offset) body["expected_last"] = *expected->offset;
  if (expected && !expected->offset) body["expected_last"] = "none";
  QIAO_ASSIGN(const Json json, call("POST", topic_path(message.subject, "messages"), body));
  return accepted_from_json(json);
}

Result<std::vector<Accepted>> Client::publish(const std::string& subject,
                                              const std::vector<Message>& messages) const {
  Json list = Json::array();
  for (const Message& message : messages) list.push_back(to_json(message));
  QIAO_ASSIGN(const Json json, call("POST", topic_path(subject, "messages"), list));
  if (!json.contains("messages")) return strange_answer("messages");
  std::vector<Accepted> all;
  for (const Json& item : json["messages"]) {
    QIAO_ASSIGN(Accepted accepted, accepted_from_json(item));
    all.push_back(std::move(accepted));
  }
  return all;
}

Result<MessagePage> Client::read(const std::string& pattern, std::uint64_t from,
                                 std::size_t limit) const {
  QIAO_ASSIGN(const Json json, get(topic_path(pattern, "messages") + "?from=" +
                                   std::to_string(from) + "&limit=" + std::to_string(limit)));
  if (!json.contains("messages")) return strange_answer("messages");
  MessagePage page;
  for (const Json& item : json["messages"]) {
    QIAO_ASSIGN(ReceivedMessage received, received_from_json(item));
    page.messages.push_back(std::move(received));
  }
  page.next = static_cast<std::uint64_t>(json_integer(json, "next").value_or(0));
  return page;
}

Result<Message> Client::request(const Message& message, std::int64_t timeout_ms,
                                std::stop_token stop) const {
  Json body = to_json(message);
  body["timeout_ms"] = timeout_ms;
  QIAO_ASSIGN(const Json json, call("POST", topic_path(message.subject, "requests"), body,
                                    timeout_ms + kTravelMs, std::move(stop)));
  return message_from_json(json);
}

}  // namespace qiao
