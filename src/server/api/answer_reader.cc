// SPDX-License-Identifier: Apache-2.0
#include "server/api/answer_reader.h"

#include "base/logging.h"

namespace qiao::server {

AnswerReader::AnswerReader(Places places, std::string stream, Hooks hooks)
    : places_(places), stream_(std::move(stream)), hooks_(std::move(hooks)) {}

// Attaching happens on the loop, so that what is posted from inside it comes after it.
void AnswerReader::start(StreamPlace from) {
  Status posted = places_.loop.post([self = shared_from_this(), from] { self->attach(from); });
  if (posted) return;
  over_ = true;
  hooks_.on_over(std::move(posted));
}

void AnswerReader::attach(StreamPlace from) {
  if (over_) return;
  Streams::Reader reader;
  reader.on_event = [self = shared_from_this()](const StreamEvent& event) { self->take(event); };
  if (hooks_.on_unwritten) {
    reader.on_unwritten = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->unwritten();
    };
  }
  reader.on_ended = [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->finish({});
  };
  Result<Streams::ReaderId> attached = places_.streams.attach(stream_, from, std::move(reader));
  if (!attached) return finish(std::move(attached.error()));
  reader_ = *attached;
  watch();
  if (hooks_.on_attached) hooks_.on_attached();
}

void AnswerReader::take(const StreamEvent& event) {
  if (over_) return;
  ++events_;
  Status taken = hooks_.on_event(event);
  if (!taken) return finish(std::move(taken));
  if (event.kind == StreamEvent::Kind::kEnd) finish({});
}

void AnswerReader::unwritten() {
  // A full loop leaves the reader waiting, as for a stream that is yet to come.
  (void)places_.loop.post([self = shared_from_this()] {
    if (!self->over_) self->hooks_.on_unwritten();
  });
}

void AnswerReader::finish(Status status) {
  if (over_.exchange(true)) return;
  const Status posted = places_.loop.post([self = shared_from_this(), status = std::move(status)] {
    self->detach();
    self->hooks_.on_over(status);
  });
  if (!posted) log_warn("server", "a reader is left without its end: " + posted.error().message);
}

void AnswerReader::fail(Error error) {
  finish(std::move(error));
}

bool AnswerReader::leave() {
  if (over_.exchange(true)) return false;
  // A full loop keeps the reader attached until the stream goes.
  (void)places_.loop.post([self = shared_from_this()] { self->detach(); });
  return true;
}

void AnswerReader::watch() {
  timer_ = places_.loop.post_after(kSilentMs, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->over_) return;
    const std::uint64_t events = self->events_;
    if (events == self->events_watched_) {
      return self->finish(Error{
          Code::kDeadline, "nothing was written for " + std::to_string(kSilentMs / 1'000) + " s"});
    }
    self->events_watched_ = events;
    self->watch();
  });
}

void AnswerReader::detach() {
  places_.loop.cancel(timer_);
  if (reader_ != 0) places_.streams.detach(stream_, reader_);
}

}  // namespace qiao::server
