// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "log/log.h"
#include "message/message.h"

namespace qiao {

// What the log's records mean: the whole history of a broker is a sequence of these. The broker's
// state machine applies them; the history projection reads them. Each starts with the time it
// happened; there is no other source of time in the state machine.

// Where a new group starts.
struct GroupStart {
  enum class At : std::uint8_t { kOldest = 0, kNow = 1, kOffset = 2 };
  At at = At::kNow;
  std::uint64_t offset = 0;
  friend bool operator==(const GroupStart&, const GroupStart&) = default;
};

// A consumer group: a named, durable place in the messages of a pattern.
struct GroupSpec {
  std::string name;
  std::string pattern;
  GroupStart start;
  std::int64_t lease_ms = 30'000;
  std::int32_t attempts_max = 5;  // then the message goes to the dead letters
  std::string dead_letter;        // subject; "" = "dead.<name>"
  bool ordered = true;            // one message of a conversation at a time
  friend bool operator==(const GroupSpec&, const GroupSpec&) = default;
};

namespace record {
struct Published {
  Message message;  // message.time_ms is the record's time
};
struct GroupCreated {
  std::int64_t time_ms = 0;
  GroupSpec spec;
};
struct GroupDeleted {
  std::int64_t time_ms = 0;
  std::string group;
};
struct Leased {
  std::int64_t time_ms = 0;
  std::string group;
  std::string consumer;
  std::uint64_t offset = 0;  // of the message
  std::uint32_t attempt = 0;
  std::int64_t until_ms = 0;
};
struct Acked {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;
};
struct Nacked {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;
  std::int64_t retry_at_ms = 0;
  bool counts = true;  // false: handed back, does not eat the attempts
  std::string reason;
};
struct Extended {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;
  std::int64_t until_ms = 0;
};
// The lease ran out, as seen by the driver's clock.
struct Expired {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;
  std::int64_t retry_at_ms = 0;
};
// Something that happened in a conversation and is not a message: a decision, a tool call, a
// filter's verdict, the end of a conversation. `type` is a dotted name ("decision", "tool.done").
struct Event {
  std::int64_t time_ms = 0;
  std::string conversation;
  std::string message_id;  // the message it is about
  std::string type;
  Json data;
};
}  // namespace record

using Record =
    std::variant<record::Published, record::GroupCreated, record::GroupDeleted, record::Leased,
                 record::Acked, record::Nacked, record::Extended, record::Expired, record::Event>;

// `kind` is the variant's index; bytes are in wire.h form. decode: `corrupt` names what is wrong.
LogRecord encode(const Record& record);
LogRecord encode_published(const Message& message);  // the same as of record::Published
Result<Record> decode_record(const LogRecord& record);

}  // namespace qiao
