// SPDX-License-Identifier: Apache-2.0
#include "broker/stream_event.h"

#include <charconv>

#include "message/wire.h"

namespace qiao {
namespace {

constexpr std::uint64_t kEnds = 1;  // flag
constexpr std::uint64_t kKinds = 4;

template <class T>
bool take_number(std::string_view text, T& number) {
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  return wrong == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::string to_text(StreamPlace place) {
  return std::to_string(place.attempt) + "." + std::to_string(place.offset);
}

Result<StreamPlace> parse_place(std::string_view text) {
  StreamPlace place;
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos && take_number(text.substr(0, dot), place.attempt) &&
      take_number(text.substr(dot + 1), place.offset) && place.offset < INT64_MAX)
    return place;
  return invalid_argument("a place in a stream is ATTEMPT.OFFSET, as in an event's id");
}

StreamEvent opening_of(std::uint32_t attempt) {
  StreamEvent event;
  event.kind = StreamEvent::Kind::kReset;
  event.attempt = attempt;
  event.data = Json{{"attempt", attempt}, {"reason", "a new attempt"}};
  return event;
}

std::string encode_events(const std::vector<StreamEvent>& events) {
  std::string out;
  put_varint(out, events.size());
  const bool ends = !events.empty() && events.back().kind == StreamEvent::Kind::kEnd;
  put_varint(out, ends ? kEnds : 0);
  for (const StreamEvent& event : events) {
    put_varint(out, static_cast<std::uint64_t>(event.kind));
    put_bytes(out, event.text);
    put_bytes(out, event.data.is_null() ? "" : dump_json(event.data));
  }
  return out;
}

Result<std::vector<StreamEvent>> decode_events(std::string_view bytes) {
  const Error damaged{Code::kCorrupt, "a chunk of a stream is not in the form of this version"};
  WireReader in(bytes);
  const std::uint64_t count = in.varint();
  static_cast<void>(in.varint());
  if (count > bytes.size()) return damaged;
  std::vector<StreamEvent> events(count);
  for (StreamEvent& event : events) {
    const std::uint64_t kind = in.varint();
    event.text = in.bytes();
    const std::string_view data = in.bytes();
    if (!in.ok() || kind >= kKinds) return damaged;
    event.kind = static_cast<StreamEvent::Kind>(kind);
    if (data.empty()) continue;
    auto json = parse_json(data);
    if (!json) return damaged;
    event.data = std::move(*json);
  }
  if (!in.ok() || !in.at_end()) return damaged;
  return events;
}

ChunkFacts facts_of_events(std::string_view bytes) {
  WireReader in(bytes);
  ChunkFacts facts;
  facts.events = in.varint();
  facts.ends = (in.varint() & kEnds) != 0;
  return in.ok() ? facts : ChunkFacts{};
}

}  // namespace qiao
