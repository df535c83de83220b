// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace qiao {

// One step of an answer on its way to its readers.
struct StreamEvent {
  enum class Kind : std::uint8_t {
    kText,   // a piece of the answer
    kReset,  // what came so far is void: a new attempt follows
    kInfo,   // data: {"type": "decision" | "tool" | …}, for pages that show the way
    kEnd,    // the last event; data: {"message_id", "finish", "usage", "error"?}
  };
  Kind kind = Kind::kText;
  std::uint64_t offset = 0;  // from 0 in each stream
  std::string text;
  Json data;
};

// Answers while they are written, one stream per turn, named by the id of the message that began
// it. Any number of readers attach at any offset. In memory only: the finished answer is a message.
// Thread-safe; sinks run on the writer's thread (or inside attach) and must neither block nor call
// back into this class.
class Streams {
 public:
  static constexpr std::size_t kStreamsMax = 4'096;
  static constexpr std::size_t kStreamBytesMax = 1 << 20;
  static constexpr std::int64_t kKeptMs = 60'000;  // untouched and without a reader

  using Sink = std::function<void(const StreamEvent&)>;
  using ReaderId = std::uint64_t;

  explicit Streams(const Clock& clock) : clock_(clock) {}

  // Appends; makes the stream when it is new. `overloaded` past a bound.
  Status write(const std::string& stream, StreamEvent event);
  // Sends the sink everything from `offset` on, now and later. A stream that does not exist yet is
  // made: attach first, publish after. `overloaded` past a bound.
  Result<ReaderId> attach(const std::string& stream, std::uint64_t offset, Sink sink);
  void detach(const std::string& stream, ReaderId reader);

 private:
  struct Stream {
    std::deque<StreamEvent> events;
    std::map<ReaderId, Sink> readers;
    std::size_t bytes = 0;
    std::int64_t touched_ms = 0;
    bool ended = false;
  };
  Result<Stream*> find_or_make(const std::string& name);
  void sweep();

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Stream> streams_;
  ReaderId last_reader_ = 0;
  std::int64_t swept_ms_ = 0;
};

}  // namespace qiao
