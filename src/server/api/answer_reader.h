// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/result.h"
#include "broker/streams.h"

namespace qiao::server {

// Follows the stream of one answer for one reader, to its end. Held by the stream it reads and by
// whoever may want to leave. Thread-safe.
//
// Ends by exactly one on_over: with success after the stream's end event, or at once when the
// stream ended before the reader's place; with an Error when the stream cannot be read, when
// on_event gives one, or when `kSilentMs` passed without an event. After leave() there is no
// on_over.
class AnswerReader : public std::enable_shared_from_this<AnswerReader> {
 public:
  static constexpr std::int64_t kSilentMs = 180'000;

  struct Places {
    Streams& streams;
    Executor& loop;
  };
  struct Hooks {
    std::function<void()> on_attached;  // may be empty; on the loop: publish now, nothing is missed
    // On the thread that writes the stream: must not block nor call the reader.
    std::function<Status(const StreamEvent&)> on_event;
    std::function<void(Status)> on_over;  // on the loop
    // May be empty; on the loop: nobody writes the stream now and it has not ended.
    std::function<void()> on_unwritten = {};
  };

  AnswerReader(Places places, std::string stream, Hooks hooks);
  void start(StreamPlace from);
  bool leave();            // false: it had ended before
  void fail(Error error);  // ends it from outside

 private:
  void attach(StreamPlace from);
  void unwritten();
  void take(const StreamEvent& event);
  void finish(Status status);
  void watch();
  void detach();

  Places places_;
  const std::string stream_;
  Hooks hooks_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> events_{0};
  // -- the loop's own
  Streams::ReaderId reader_ = 0;
  std::uint64_t events_watched_ = 0;
  Executor::TimerId timer_ = 0;
};

}  // namespace qiao::server
