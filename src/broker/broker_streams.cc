// SPDX-License-Identifier: Apache-2.0
// What the log keeps of token streams.
#include <utility>

#include "broker/broker_impl.h"
#include "broker/stream_event.h"

namespace qiao {

void Broker::Impl::open_stream(const std::string& stream, const Done<std::uint32_t>& done) {
  const StreamIndex::Entry* known = state_.streams().find(stream);
  const std::uint32_t attempt = known == nullptr ? 1 : known->attempt + 1;
  Changes changes;
  changes.rest.emplace_back(
      record::Chunk{clock_.wall_ms(), stream, 0, attempt, encode_events({opening_of(attempt)})});
  const auto appended = append(std::move(changes), [done, attempt](Status status) {
    status ? done(attempt) : done(std::move(status.error()));
  });
  if (!appended) done(appended.error());
}

// Attempt 0 becomes the newest one. A chunk that fits no more is left out: another attempt has
// begun, or one before it was refused.
void Broker::Impl::add_chunks(std::vector<record::Chunk>& chunks, Changes& changes) {
  const std::int64_t now = clock_.wall_ms();
  for (record::Chunk& chunk : chunks) {
    const StreamIndex::Entry* known = state_.streams().find(chunk.stream);
    if (chunk.attempt == 0 && known != nullptr) chunk.attempt = known->attempt;
    chunk.time_ms = now;
    if (known != nullptr && state_.streams().fits(chunk))
      changes.rest.emplace_back(std::move(chunk));
  }
}

void Broker::Impl::append_chunks(std::vector<record::Chunk> chunks, const Done<void>& done) {
  Changes changes;
  add_chunks(chunks, changes);
  if (changes.rest.empty()) return done({});
  const auto appended =
      append(std::move(changes), [done](Status status) { done(std::move(status)); });
  if (!appended) done(appended.error());
}

Result<record::Chunk> Broker::Impl::chunk_at(std::uint64_t offset) {
  QIAO_ASSIGN(const std::vector<LogEntry> entries, log_.read(offset, 1, 1));
  if (entries.empty()) return not_found("record " + std::to_string(offset) + " is not in the log");
  QIAO_ASSIGN(Record record, decode_record(entries.front().record));
  auto* chunk = std::get_if<record::Chunk>(&record);
  if (chunk == nullptr)
    return Error{Code::kCorrupt, "record " + std::to_string(offset) + " is no part of a stream"};
  return std::move(*chunk);
}

void Broker::Impl::read_stream(const std::string& stream, const Done<StoredStream>& done) {
  const StreamIndex::Entry* known = state_.streams().find(stream);
  if (known == nullptr) return done(not_found("no answer to message " + stream + " is kept"));
  StoredStream stored;
  stored.attempt = known->attempt;
  stored.ended = known->ended;
  for (const std::uint64_t offset : known->chunks) {
    Result<record::Chunk> chunk = chunk_at(offset);
    if (!chunk) return done(std::move(chunk.error()));
    auto events = decode_events(chunk->events);
    if (!events) return done(std::move(events.error()));
    for (StreamEvent& event : *events) {
      event.offset = stored.events.size();
      event.attempt = stored.attempt;
      stored.events.push_back(std::move(event));
    }
  }
  done(std::move(stored));
}

}  // namespace qiao
