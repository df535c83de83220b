// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/turn_stream.h"

#include <utility>

#include "base/logging.h"

namespace qiao::flow {
namespace {

StreamEvent event_of(StreamEvent::Kind kind, std::string_view text, Json data) {
  StreamEvent event;
  event.kind = kind;
  event.text = std::string(text);
  event.data = std::move(data);
  return event;
}

}  // namespace

void TurnStream::also(std::string name) {
  const auto writer = streams_.begin(name);
  if (!writer) return log_debug("flow", "a stream refuses: " + writer.error().message);
  names_.push_back({std::move(name), *writer});
}

void TurnStream::write(const StreamEvent& event) {
  if (ended_) return;
  for (const Name& name : names_) {
    if (const Status written = streams_.write(name.stream, name.writer, event); !written)
      log_debug("flow", "a stream refuses: " + written.error().message);
  }
}

void TurnStream::info(std::string_view type, Json data) {
  Json event{{"type", type}};
  if (data.is_object()) event.update(data);
  write(event_of(StreamEvent::Kind::kInfo, {}, std::move(event)));
}

void TurnStream::text(std::string_view piece) {
  if (piece.empty()) return;
  shown_ += piece;
  write(event_of(StreamEvent::Kind::kText, piece, nullptr));
}

void TurnStream::reset(std::string_view reason) {
  if (shown_.empty()) return;
  shown_.clear();
  write(event_of(StreamEvent::Kind::kReset, {}, Json{{"reason", reason}}));
}

std::vector<record::Chunk> TurnStream::prepare_end(std::string_view final_text, const Json& data) {
  std::vector<StreamEvent> last;
  std::size_t have = shown_.size();
  if (!final_text.starts_with(shown_)) {
    have = 0;
    last.push_back(
        event_of(StreamEvent::Kind::kReset, {}, Json{{"reason", "the answer was put right"}}));
  }
  if (have < final_text.size())
    last.push_back(event_of(StreamEvent::Kind::kText, final_text.substr(have), nullptr));
  last.push_back(event_of(StreamEvent::Kind::kEnd, {}, data));
  std::vector<record::Chunk> chunks;
  for (const Name& name : names_) {
    auto chunk = streams_.prepare_end(name.stream, name.writer, last);
    if (chunk) chunks.push_back(std::move(*chunk));
  }
  return chunks;
}

void TurnStream::show_end() {
  for (const Name& name : names_) streams_.show_end(name.stream, name.writer);
  ended_ = true;
}

void TurnStream::end(Json data) {
  write(event_of(StreamEvent::Kind::kEnd, {}, std::move(data)));
  ended_ = true;
}

}  // namespace qiao::flow
