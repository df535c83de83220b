// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/stream_reader.h"

namespace qiao::sim {
namespace {

constexpr std::int64_t kWatchMs = 400;

}  // namespace

void StreamReader::start() {
  for (const std::string& id : ids_) {
    watched_.emplace_back().seen.message_id = id;
    watched_.back().seen.reader = name_;
  }
  watch();
}

void StreamReader::watch() {
  for (Watched& one : watched_) follow(one);
  world_.agenda.after_ms(kWatchMs, [this] { watch(); });
}

void StreamReader::follow(Watched& one) {
  if (one.seen.ended || !world_.server.is_up()) return;
  if (std::exchange(one.life, world_.server.life()) != world_.server.life()) one.attached = false;
  if (one.attached && world_.faults.strikes(Fault::kStreamCut)) {
    world_.server.streams().detach(one.seen.message_id, one.reader);
    one.attached = false;
  }
  if (!one.attached) attach(one);
}

void StreamReader::attach(Watched& one) {
  const std::uint64_t from = one.seen.offsets.empty() ? 0 : one.seen.offsets.back() + 1;
  const auto reader =
      world_.server.streams().attach(one.seen.message_id, StreamPlace{one.seen.attempt, from},
                                     {[this, &one, life = one.life](const StreamEvent& e) {
                                       if (life == world_.server.life()) event(one, e);
                                     }});
  if (!reader) return refused("attach", reader.error());
  one.reader = *reader;
  one.attached = true;
}

// What came before, of another attempt, is void.
void StreamReader::begin(Watched& one, std::uint32_t attempt) {
  const bool told = one.seen.offsets.empty() || one.seen.ended;
  if (!told) world_.journal.streams.push_back(one.seen);
  one.seen = StreamSeen{name_, attempt, one.seen.message_id, {}, "", "", false};
}

void StreamReader::event(Watched& one, const StreamEvent& event) {
  tell("sees " + one.seen.message_id + " at " + to_text({event.attempt, event.offset}));
  if (event.attempt != one.seen.attempt) begin(one, event.attempt);
  one.seen.offsets.push_back(event.offset);
  if (event.kind == StreamEvent::Kind::kReset) one.seen.text.clear();
  if (event.kind == StreamEvent::Kind::kText) one.seen.text += event.text;
  if (event.kind != StreamEvent::Kind::kEnd) return;
  one.seen.ended = true;
  one.seen.reply = json_string(event.data, "message_id").value_or("");
  world_.journal.streams.push_back(one.seen);
}

}  // namespace qiao::sim
