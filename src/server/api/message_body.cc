// SPDX-License-Identifier: Apache-2.0
#include "server/api/message_body.h"

#include "server/api/fields.h"

namespace qiao::server {

Result<Message> message_of(const std::string& subject, const Json& body) {
  Fields fields(body);
  fields.known({"id", "subject", "conversation", "text", "parts", "headers", "reply_to",
                "correlation", "cause", "source", "time_ms", "deadline_ms", "deliver_at_ms",
                "priority", "key", "chain", "budget"});
  QIAO_TRY(fields.finish());
  QIAO_ASSIGN(Message message, message_from_json(body));
  if (!message.subject.empty() && message.subject != subject) {
    return invalid_argument("'subject' is " + message.subject + ", the address says " + subject);
  }
  if (message.parts.empty()) return invalid_argument("a message needs 'text' or 'parts'");
  message.subject = subject;
  QIAO_TRY(validate(message));
  return message;
}

Json published_json(const std::vector<Published>& published) {
  Json list = Json::array();
  for (const Published& one : published) {
    list.push_back({{"id", one.id},
                    {"offset", one.offset},
                    {"durability", name_of(one.durability)},
                    {"duplicate", one.duplicate}});
  }
  return list;
}

Json stored_json(std::uint64_t offset, const Message& message) {
  Json json = to_json(message);
  json["offset"] = offset;
  return json;
}

}  // namespace qiao::server
