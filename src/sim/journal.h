// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker.h"
#include "log/record.h"
#include "sim/trace.h"

namespace qiao::sim {

using GroupOffset = std::pair<std::string, std::uint64_t>;

// A message of the group `group`, in the order the broker handed them out.
struct HandedOut {
  std::string group;
  std::string conversation;
  std::uint64_t offset = 0;
  std::uint64_t lease = 0;  // its name
  std::string id;
  std::int64_t at_ms = 0;                // in virtual time
  std::int64_t until_ms = 0;             // the lease's end; moves with extensions
  std::uint64_t life = 0;                // of the server: one more with each start
  bool ended = false;                    // acked or given back, as the broker confirmed
  bool acked = false;                    // the broker confirmed its ack
  std::int64_t latest_ms = 0;            // that the broker's time can be
  std::uint64_t context_tokens = 0;      // of who got it; 0: not said
  std::vector<std::uint64_t> followers;  // that came with it, or joined it and were told
  std::vector<StepReceipt> receipts;     // that came with it
};
// A dead letter that somebody sent again or dropped, as the broker confirmed.
struct LetterEnded {
  std::uint64_t offset = 0;
  std::string sent_as;  // the new id; "" = dropped
};
struct Received {
  std::uint64_t offset = 0;
  std::string id;
};
struct Answered {
  std::string question;     // its id
  std::string correlation;  // of the answer
  std::string text;
};
// A step of the work on a message whose receipt the broker confirmed.
struct StepStored {
  GroupOffset message;
  StepReceipt receipt;
};
// What the broker said to a publish that told what it had seen last of its conversation.
struct ExpectedTold {
  std::string id;
  std::optional<std::uint64_t> stored_at;  // none: refused, as
  std::optional<std::uint64_t> last;       // this one is the last
};
struct ToolCalled {
  std::string key;
  std::string payload;  // method, URL, body
};
// One attempt at one answer, as one reader saw it over as many connections as it took.
struct StreamSeen {
  std::string reader;
  std::uint32_t attempt = 0;
  std::string message_id;
  std::vector<std::uint64_t> offsets;
  std::string text;   // after resets
  std::string reply;  // id of the reply message; "" = none
  bool ended = false;
};

// What everybody outside the broker saw, and nothing else: the checkers compare it with the log
// (`records`, read back at the end). Actors write it and each entry is a line of the trace.
struct Journal {
  explicit Journal(Trace& lines) : trace(lines) {}

  Trace& trace;
  // By conversation: ids in the order their publisher sent them, each after the ack of the last.
  std::map<std::string, std::vector<std::string>> sent;
  std::map<std::string, std::uint64_t> acked;  // id → offset, as publishers were told
  std::vector<HandedOut> handed_out;
  std::map<GroupOffset, std::size_t> group_acked;  // → handed_out.size() when the broker said so
  std::set<std::string> ordered_groups;
  std::set<std::string> groups;  // that must be empty at the end
  // By reader: pattern, first offset wanted, what came.
  struct Reader {
    std::string pattern;
    std::uint64_t from = 0;
    bool to_the_end = false;  // has to see everything in the end
    std::vector<Received> received;
  };
  std::map<std::string, Reader> readers;
  std::vector<LetterEnded> letters;
  std::vector<Answered> answered;
  std::map<std::string, std::string> questions;  // id → text
  std::set<std::string> cancelled;               // questions whose asker went away
  std::vector<ToolCalled> tool_calls;
  std::vector<StepStored> stored;
  std::vector<GroupOffset> spent;  // that may cause no more, as the broker said
  std::map<std::string, std::optional<std::uint64_t>> expectations;  // by id: the last one seen
  std::vector<ExpectedTold> expected;
  std::vector<StreamSeen> streams;
  std::vector<std::string> strange;     // errors that no fault explains
  std::vector<std::string> unfinished;  // of the liveness phase

  // Offsets of all messages that the broker kept when the log had `next` records.
  struct Kept {
    std::uint64_t next = 0;
    std::vector<std::uint64_t> offsets;
  };
  std::optional<Kept> kept;  // none: it could not tell
  // The whole log, with what was trimmed meanwhile.
  std::vector<std::pair<std::uint64_t, Record>> records;
};

}  // namespace qiao::sim
