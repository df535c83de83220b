// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_index.h"

#include <algorithm>

#include "broker/stream_event.h"

namespace qiao {

bool StreamIndex::fits(const record::Chunk& chunk) const {
  const Entry* known = find(chunk.stream);
  if (known == nullptr || chunk.attempt > known->attempt) return chunk.first == 0;
  return chunk.attempt == known->attempt && !known->ended && chunk.first == known->events;
}

void StreamIndex::apply(std::uint64_t offset, const record::Chunk& chunk) {
  if (!fits(chunk)) return;
  const auto [found, fresh] = entries_.try_emplace(chunk.stream);
  Kept& kept = found->second;
  if (fresh) {
    kept.place = order_.insert(order_.end(), chunk.stream);
  } else {
    order_.splice(order_.end(), order_, kept.place);
  }
  if (chunk.attempt > kept.entry.attempt) kept.entry = {};
  const ChunkFacts facts = facts_of_events(chunk.events);
  kept.entry.attempt = chunk.attempt;
  kept.entry.ended = facts.ends;
  kept.entry.events = chunk.first + facts.events;
  kept.entry.last_ms = chunk.time_ms;
  kept.entry.chunks.push_back(offset);
  forget_old(chunk.time_ms);
}

void StreamIndex::forget_old(std::int64_t now_ms) {
  while (!order_.empty()) {
    const auto oldest = entries_.find(order_.front());
    if (entries_.size() <= kStreamsMax && now_ms - oldest->second.entry.last_ms <= kKeptMs) return;
    entries_.erase(oldest);
    order_.pop_front();
  }
}

const StreamIndex::Entry* StreamIndex::find(std::string_view stream) const {
  const auto found = entries_.find(stream);
  return found == entries_.end() ? nullptr : &found->second.entry;
}

std::optional<std::uint64_t> StreamIndex::first_offset() const {
  std::optional<std::uint64_t> first;
  for (const auto& [stream, kept] : entries_)
    first = std::min(first.value_or(UINT64_MAX), kept.entry.chunks.front());
  return first;
}

void StreamIndex::write(std::string& out) const {
  put_varint(out, order_.size());
  for (const std::string& stream : order_) {
    const Entry& entry = entries_.find(stream)->second.entry;
    put_bytes(out, stream);
    put_varint(out, entry.attempt);
    put_varint(out, entry.ended ? 1 : 0);
    put_varint(out, entry.events);
    put_signed(out, entry.last_ms);
    put_varint(out, entry.chunks.size());
    std::uint64_t last = 0;
    for (const std::uint64_t offset : entry.chunks) {
      put_varint(out, offset - last);
      last = offset;
    }
  }
}

Status StreamIndex::read(WireReader& in) {
  const Error damaged{Code::kCorrupt, "the snapshot's list of streams is damaged"};
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    std::string stream(in.bytes());
    Entry entry;
    entry.attempt = static_cast<std::uint32_t>(in.varint());
    entry.ended = in.varint() != 0;
    entry.events = in.varint();
    entry.last_ms = in.signed_varint();
    std::uint64_t last = 0;
    for (std::uint64_t chunk = in.varint(); chunk > 0 && in.ok(); --chunk)
      entry.chunks.push_back(last += in.varint());
    if (!in.ok() || entry.chunks.empty() || entries_.contains(stream)) return damaged;
    const auto place = order_.insert(order_.end(), stream);
    entries_.emplace(std::move(stream), Kept{std::move(entry), place});
  }
  return in.ok() ? Status() : Status(damaged);
}

}  // namespace qiao
