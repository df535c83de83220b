// SPDX-License-Identifier: Apache-2.0
// JSON from strangers, as a message to publish and as a chat request: what is taken is within its
// bounds, and a message comes back the same from its JSON and from its stored bytes.
#include <cstdint>

#include "fuzz_input.h"
#include "server/api/message_body.h"
#include "server/openai/openai_request.h"

namespace {

void read_message(const qiao::Json& body) {
  const auto message = qiao::server::message_of("fuzz.in", body);
  if (!message) return;
  qiao::Message checked = *message;
  if (checked.id.empty()) checked.id = "id";
  QIAO_CHECK(qiao::validate(checked).has_value());
  std::string bytes;
  qiao::encode(checked, bytes);
  const auto stored = qiao::decode_message(bytes);
  QIAO_CHECK(stored.has_value());
  QIAO_CHECK(qiao::to_json(*stored) == qiao::to_json(checked));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto json = qiao::parse_json(qiao::fuzz::text_of(data, size));
  if (!json) return 0;
  const auto again = qiao::parse_json(qiao::dump_json(*json));
  QIAO_CHECK(again.has_value());
  read_message(*json);
  const auto chat = qiao::server::read_chat_request(*json);
  if (chat) QIAO_CHECK(chat->generate.turns.size() <= qiao::server::kTurnsMax);
  return 0;
}
