// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao {

// One piece of a message. Text is UTF-8; other kinds carry their bytes as they are.
struct Part {
  enum class Kind : std::uint8_t { kText = 0, kJson = 1, kImage = 2, kAudio = 3, kFile = 4 };

  Kind kind = Kind::kText;
  std::string media_type;  // "" for text means text/plain
  std::string data;

  friend bool operator==(const Part&, const Part&) = default;
};

// What a message and everything it causes may still spend. Negative: no limit. A child inherits
// what is left; several children share it.
struct Budget {
  std::int32_t hops = -1;
  std::int64_t tokens = -1;
  std::int64_t wall_ms = -1;     // counted from its own time_ms; a child gets the rest
  std::int32_t calls = -1;       // of models and tools
  std::int64_t cost_micro = -1;  // millionths of the unit that prices are in
  std::int32_t messages = -1;    // that may be caused, over all generations: the fan-out

  friend bool operator==(const Budget&, const Budget&) = default;
};

// The envelope: what travels through topics. A plain value.
struct Message {
  std::string id;            // idempotency key; the broker makes a ULID when it is empty
  std::string subject;       // dot-separated, no wildcard (subject.h)
  std::string conversation;  // order is kept inside one; "" = none
  std::vector<Part> parts;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string reply_to;                        // subject for answers, "" = none wanted
  std::string correlation;                     // id of the message this answers, "" = none
  std::string cause;                           // id of the message that led to this one, "" = root
  std::string source;              // who published: "user", "flow/shop", "desk/ann", …
  std::int64_t time_ms = 0;        // accepted by the broker, Unix milliseconds
  std::int64_t deadline_ms = 0;    // Unix milliseconds; 0 = none
  std::int64_t deliver_at_ms = 0;  // Unix milliseconds: no group gets it before; 0 = at once
  std::uint8_t priority = 4;       // 0 lowest … 9 highest
  std::string key;  // of compaction: a later message of the key replaces it; "" = none
  std::vector<std::string> chain;  // who was passed on the way here ("flow/shop"), oldest first
  Budget budget;

  // All text parts, joined with a line feed.
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Message&, const Message&) = default;
};

inline constexpr std::size_t kMessageBytesMax = 8 << 20;
inline constexpr std::size_t kHeadersMax = 64;
inline constexpr std::size_t kPartsMax = 1'024;
inline constexpr std::size_t kIdBytesMax = 128;
inline constexpr std::size_t kChainMax = 64;

// A message with one text part.
Message text_message(std::string subject, std::string text, std::string conversation = {});

// Sizes, subject, UTF-8 of names and text. Error: invalid_argument naming the field.
Status validate(const Message& message);

// JSON as on the wire (docs/reference/http.md): {"id","subject","conversation","text" or
// "parts","headers",…}; absent fields have their defaults. Binary parts are base64 in "data".
Json to_json(const Message& message);
Result<Message> message_from_json(const Json& json);

// The compact binary form kept in the log (docs/internals/log.md). decode refuses damage.
void encode(const Message& message, std::string& out);
Result<Message> decode_message(std::string_view bytes);

bool valid_utf8(std::string_view text);

}  // namespace qiao
