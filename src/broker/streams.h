// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/result.h"
#include "broker/broker.h"
#include "broker/stream_event.h"

namespace qiao {

// Answers while they are written, one stream per turn, named by the id of the message that began
// it. Any number of readers attach at any place. The tail runs at the speed of memory; behind it
// events are sealed into chunks of the log, all streams in one batch, when kSealMs have passed or
// kSealBytes wait: no write per token. A crash loses the unsealed tail, and the next attempt
// supersedes it: its number is durable before any of it is shown, so a reader that comes back is
// either where it was or is told by a kReset with the new attempt. No gap, no repeat.
//
// Without a broker everything is in memory only. Thread-safe; sinks run on the writer's thread or
// on the broker's loop (or inside attach) and must neither block nor call back into this class.
// Broker and loop outlive it.
class Streams {
 public:
  static constexpr std::size_t kStreamsMax = 1 << 15;
  static constexpr std::size_t kStreamBytesMax = 1 << 20;
  static constexpr std::size_t kBytesMax = 256 << 20;  // of all streams
  static constexpr std::int64_t kKeptMs = 60'000;      // in memory, untouched and without a reader
  static constexpr std::int64_t kAbandonedMs = 900'000;  // untouched by its writer
  static constexpr std::int64_t kSealMs = 250;
  static constexpr std::size_t kSealBytes = 16 << 10;
  static constexpr std::size_t kPieceBytes = 4 << 10;  // texts a reader is behind with are joined

  using Sink = std::function<void(const StreamEvent&)>;
  using ReaderId = std::uint64_t;
  using WriterId = std::uint64_t;

  struct Reader {
    Sink on_event;
    // May be empty: nobody writes the stream now and it has not ended. Somebody may begin later.
    std::function<void()> on_unwritten = {};
    // May be empty: the stream has ended before the reader's place, no event will come.
    std::function<void()> on_ended = {};
  };

  explicit Streams(const Clock& clock);
  Streams(const Clock& clock, Broker& broker, Executor& loop, Metrics& metrics);
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // The next attempt: what was written before is void, and its writer is refused from now on.
  // `overloaded` past a bound.
  Result<WriterId> begin(const std::string& stream);
  // `conflict` when another attempt has begun, `overloaded` past a bound.
  Status write(const std::string& stream, WriterId writer, StreamEvent event);

  // The end becomes durable together with what the turn commits: prepare_end gives the chunk that
  // goes into the commit (nothing: in memory only, or refused), show_end shows `last` to readers
  // when it is. A second prepare_end takes the place of the first.
  std::optional<record::Chunk> prepare_end(const std::string& stream, WriterId writer,
                                           std::vector<StreamEvent> last);
  void show_end(const std::string& stream, WriterId writer);

  // Sends the reader everything from its place on, now and later; from the beginning of the newest
  // attempt when it was in another. A stream that does not exist yet is made: attach first,
  // publish after. `overloaded` past a bound.
  Result<ReaderId> attach(const std::string& stream, StreamPlace from, Reader reader);
  void detach(const std::string& stream, ReaderId reader);

  // Seals what waits, before an orderly end.
  void flush();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace qiao
