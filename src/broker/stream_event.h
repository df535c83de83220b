// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace qiao {

// One step of an answer on its way to its readers.
struct StreamEvent {
  enum class Kind : std::uint8_t {
    kText = 0,   // a piece of the answer
    kReset = 1,  // what came so far is void; data: {"reason", "attempt"? of a new attempt}
    kInfo = 2,   // data: {"type": "decision" | "tool" | …}, for pages that show the way
    kEnd = 3,    // the last event; data: {"message_id", "finish", "usage", "error"?}
  };
  Kind kind = Kind::kText;
  std::uint64_t offset = 0;  // from 0 in each attempt; the reset that opens the attempt is 0
  std::string text;
  Json data;
  std::uint32_t attempt = 0;  // from 1 in each stream
};

// Where a reader is: it wants the events from `offset` on, as long as `attempt` is the newest one.
// Written "2.14". Attempt 0 stands for whichever is the newest.
struct StreamPlace {
  std::uint32_t attempt = 0;
  std::uint64_t offset = 0;
  friend bool operator==(const StreamPlace&, const StreamPlace&) = default;
};
std::string to_text(StreamPlace place);
// `invalid_argument` unless it is two numbers with a dot between them.
Result<StreamPlace> parse_place(std::string_view text);

// The event that opens an attempt: offset 0.
StreamEvent opening_of(std::uint32_t attempt);

// Events as the bytes of a record::Chunk, and back. Offset and attempt are not written: the chunk
// has them for all. decode: `corrupt` when the bytes are of no known form.
std::string encode_events(const std::vector<StreamEvent>& events);
Result<std::vector<StreamEvent>> decode_events(std::string_view bytes);

// What can be told without decoding.
struct ChunkFacts {
  std::uint64_t events = 0;
  bool ends = false;  // the last one is kEnd
};
ChunkFacts facts_of_events(std::string_view bytes);

}  // namespace qiao
