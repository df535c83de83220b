// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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

// What a group does with a message whose conversation is at work.
enum class Busy : std::uint8_t {
  kEnqueue = 0,    // it waits its turn
  kReject = 1,     // its publisher is refused while another waits or is leased
  kMerge = 2,      // a lease takes all that waits behind its message
  kSteer = 3,      // it may be handed to who holds the lease
  kInterrupt = 4,  // it ends the lease; what was leased is acked as superseded
};
std::string_view name_of(Busy busy);
std::optional<Busy> busy_of(std::string_view name);

// The wait before a failed message is tried again: `first_ms` (0: none), doubled with each
// attempt up to `max_ms`, less up to a half of it by chance.
struct Backoff {
  std::int64_t first_ms = 0;
  std::int64_t max_ms = 60'000;
  friend bool operator==(const Backoff&, const Backoff&) = default;
};

// What failures of one class get instead of the group's own. One attempt: dead at once.
struct RetryRule {
  std::string error;  // as the consumer names it; "expired": the lease ran out
  std::int32_t attempts_max = 1;
  Backoff backoff;
  friend bool operator==(const RetryRule&, const RetryRule&) = default;
};
inline constexpr std::string_view kExpiredError = "expired";
// The message's limits are spent: dead at once, unless a rule of the group says otherwise.
inline constexpr std::string_view kSpentError = "spent";

// A consumer group: a named, durable place in the messages of a pattern.
struct GroupSpec {
  std::string name;
  std::string pattern;
  GroupStart start;
  std::int64_t lease_ms = 30'000;
  std::int32_t attempts_max = 5;  // then the message goes to the dead letters
  std::string dead_letter;        // subject; "" = "dead.<name>"
  bool ordered = true;            // one message of a conversation at a time
  Busy busy = Busy::kEnqueue;
  std::uint32_t followers_max = 16;  // messages that join one lease
  Backoff backoff;
  std::vector<RetryRule> rules;
  std::uint64_t backlog_max = 0;  // open messages; past it publishers are refused; 0: no bound
  friend bool operator==(const GroupSpec&, const GroupSpec&) = default;
};

// How the messages of a pattern are kept. 0: no such bound. What a group has open stays all the
// same, unless drop_unacked says otherwise.
struct TopicSpec {
  std::string pattern;
  std::int64_t retain_ms = 0;         // age
  std::uint64_t retain_messages = 0;  // per topic
  std::uint64_t retain_bytes = 0;     // per topic, of parts and headers
  bool compact = false;               // keeps the newest message of each key
  std::uint64_t backlog_max = 0;      // messages a group may have open; past it: overloaded
  bool drop_unacked = false;          // also what groups have not acked; leased ones are finished
  friend bool operator==(const TopicSpec&, const TopicSpec&) = default;
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
  std::uint64_t lease = 0;  // its name: no other lease of the message has it; 0: of before names
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
  std::string error{};  // its class, "" = none named
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
// How messages of a pattern are kept (the newest of equal pattern holds).
struct TopicSet {
  std::int64_t time_ms = 0;
  TopicSpec spec;
  bool erased = false;  // the pattern has no settings any more
};
// Messages that are kept no longer: retention, compaction, a dropped dead letter.
struct Removed {
  std::int64_t time_ms = 0;
  std::vector<std::uint64_t> offsets;  // rising
  std::string reason;
  std::string topic{};  // that all of them are in; "": of any
};
// What one step of work on a leased message gave (a model's answer, a tool's, a choice): a later
// attempt takes it instead of doing the step again. Kept until the message is acked.
struct Receipt {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;  // of the message
  std::string step;          // its name within the work, "tool.order-lookup.1"
  std::string data;          // the owner's
};
// Sealed events of an answer while it is written (broker/streams.h).
struct Chunk {
  std::int64_t time_ms = 0;
  std::string stream;
  std::uint64_t first = 0;  // offset of the first event in the stream
  std::uint32_t attempt = 0;
  std::string events;
};
// A leased message rests, with its lane, until woken or until the time is over.
struct Parked {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;
  std::int64_t until_ms = 0;
  std::string reason;
};
struct Woken {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;
};
// Messages behind a leased one in its lane become part of its lease: acked or given back with it.
struct Joined {
  std::int64_t time_ms = 0;
  std::string group;
  std::uint64_t offset = 0;              // of the leased message
  std::vector<std::uint64_t> followers;  // rising
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
                 record::Acked, record::Nacked, record::Extended, record::Expired, record::Event,
                 record::TopicSet, record::Removed, record::Receipt, record::Chunk, record::Parked,
                 record::Woken, record::Joined>;

// `kind` is the variant's index; bytes are in wire.h form. decode: `corrupt` names what is wrong.
LogRecord encode(const Record& record);
LogRecord encode_published(const Message& message);  // the same as of record::Published
Result<Record> decode_record(const LogRecord& record);

}  // namespace qiao
