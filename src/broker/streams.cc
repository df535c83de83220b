// SPDX-License-Identifier: Apache-2.0
#include "broker/streams.h"

namespace qiao {

Result<Streams::Stream*> Streams::find_or_make(const std::string& name) {
  const auto found = streams_.find(name);
  if (found != streams_.end()) return &found->second;
  if (streams_.size() >= kStreamsMax || clock_.wall_ms() - swept_ms_ > kKeptMs) sweep();
  if (streams_.size() >= kStreamsMax) {
    return overloaded(std::to_string(kStreamsMax) + " answers are being written; try again");
  }
  streams_[name].touched_ms = clock_.wall_ms();
  return &streams_[name];
}

void Streams::sweep() {
  const std::int64_t now = clock_.wall_ms();
  swept_ms_ = now;
  std::erase_if(streams_, [now](const auto& entry) {
    const Stream& stream = entry.second;
    return stream.readers.empty() && now - stream.touched_ms > kKeptMs;
  });
}

Status Streams::write(const std::string& stream, StreamEvent event) {
  std::lock_guard lock(mutex_);
  QIAO_ASSIGN(Stream* const target, find_or_make(stream));
  if (target->ended) return Error{Code::kPrecondition, "the stream has ended"};
  if (target->bytes + event.text.size() > kStreamBytesMax &&
      event.kind != StreamEvent::Kind::kEnd) {
    return overloaded("an answer is longer than " + std::to_string(kStreamBytesMax) + " bytes");
  }
  event.offset = target->events.size();
  target->bytes += event.text.size();
  target->ended = event.kind == StreamEvent::Kind::kEnd;
  target->touched_ms = clock_.wall_ms();
  target->events.push_back(std::move(event));
  for (const auto& [id, sink] : target->readers) sink(target->events.back());
  return {};
}

Result<Streams::ReaderId> Streams::attach(const std::string& stream, std::uint64_t offset,
                                          Sink sink) {
  std::lock_guard lock(mutex_);
  QIAO_ASSIGN(Stream* const target, find_or_make(stream));
  for (std::uint64_t i = offset; i < target->events.size(); ++i) sink(target->events[i]);
  target->touched_ms = clock_.wall_ms();
  target->readers.emplace(++last_reader_, std::move(sink));
  return last_reader_;
}

void Streams::detach(const std::string& stream, ReaderId reader) {
  std::lock_guard lock(mutex_);
  if (const auto found = streams_.find(stream); found != streams_.end())
    found->second.readers.erase(reader);
}

}  // namespace qiao
