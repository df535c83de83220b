// SPDX-License-Identifier: Apache-2.0
#include "flow/turn_stream.h"

#include "base/logging.h"

namespace qiao::flow {

void TurnStream::write(StreamEvent::Kind kind, std::string_view text, Json data) {
  if (ended_) return;
  for (const std::string& name : names_) {
    StreamEvent event;
    event.kind = kind;
    event.text = std::string(text);
    event.data = data;
    if (const Status written = streams_.write(name, std::move(event)); !written) {
      log_debug("flow", "a stream refuses: " + written.error().message);
    }
  }
}

void TurnStream::info(std::string_view type, Json data) {
  Json event{{"type", type}};
  if (data.is_object()) event.update(data);
  write(StreamEvent::Kind::kInfo, {}, std::move(event));
}

void TurnStream::text(std::string_view piece) {
  if (piece.empty()) return;
  shown_ += piece;
  write(StreamEvent::Kind::kText, piece, nullptr);
}

void TurnStream::reset(std::string_view reason) {
  if (shown_.empty()) return;
  shown_.clear();
  write(StreamEvent::Kind::kReset, {}, Json{{"reason", reason}});
}

void TurnStream::settle(std::string_view final_text) {
  if (!final_text.starts_with(shown_)) reset("the answer was put right");
  text(final_text.substr(shown_.size()));
}

void TurnStream::end(Json data) {
  write(StreamEvent::Kind::kEnd, {}, std::move(data));
  ended_ = true;
}

}  // namespace qiao::flow
