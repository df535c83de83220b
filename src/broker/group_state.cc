// SPDX-License-Identifier: Apache-2.0
#include "broker/group_state.h"

#include <algorithm>
#include <utility>

namespace qiao {
namespace {

using broker::LaneKey;
using broker::Place;

// Nothing has happened to it: all there is to know is its place.
bool untouched(const GroupState::Item& item) {
  return item.attempt == 0 && item.until_ms == 0 && item.retry_at_ms == 0;
}

// `last` is the offset of the place before.
template <class Places>
void put_places(std::string& out, const Places& places, std::uint64_t& last) {
  for (const Place& place : places) {
    put_varint(out, place.offset - last);
    put_varint(out, place.lane);
    last = place.offset;
  }
}

}  // namespace

void GroupState::add(Place place) {
  if (spec_.start.at == GroupStart::At::kOffset && place.offset < spec_.start.offset) return;
  unseen_.push_back(place);
  ++open_;
}

void GroupState::look_up_to(std::uint64_t offset) {
  while (!unseen_.empty() && unseen_.front().offset <= offset) {
    look_at(unseen_.front());
    unseen_.pop_front();
  }
}

void GroupState::look_at(Place place) {
  Item item;
  item.lane = place.lane;
  if (has_lane(item)) {
    const auto [lane, first] = lanes_.try_emplace(place.lane);
    if (!first) return lane->second.behind.push_back(place.offset);
    lane->second.head = place.offset;
  }
  make_ready(place.offset, items_.emplace(place.offset, std::move(item)).first->second);
}

void GroupState::make_ready(std::uint64_t offset, const Item& item) {
  if (item.retry_at_ms > 0) {
    resting_.emplace(item.retry_at_ms, offset);
  } else {
    ready_.insert(offset);
  }
}

GroupState::Item* GroupState::find(std::uint64_t offset) {
  look_up_to(offset);
  const auto found = items_.find(offset);
  return found == items_.end() ? nullptr : &found->second;
}

void GroupState::lease(const record::Leased& leased) {
  Item* item = find(leased.offset);
  if (item == nullptr) return;
  ready_.erase(leased.offset);
  resting_.erase({item->retry_at_ms, leased.offset});
  leases_.erase({item->until_ms, leased.offset});
  item->retry_at_ms = 0;
  item->attempt = leased.attempt;
  item->until_ms = leased.until_ms;
  item->consumer = leased.consumer;
  leases_.emplace(item->until_ms, leased.offset);
}

void GroupState::ack(std::uint64_t offset, std::uint64_t at) {
  const Item* item = find(offset);
  if (item == nullptr) return;
  ready_.erase(offset);
  resting_.erase({item->retry_at_ms, offset});
  leases_.erase({item->until_ms, offset});
  const LaneKey lane = has_lane(*item) ? item->lane : 0;
  items_.erase(offset);
  --open_;
  ++acked_;
  if (lane != 0) leave_lane(offset, lane, at);
}

void GroupState::leave_lane(std::uint64_t offset, LaneKey key, std::uint64_t at) {
  const auto lane = lanes_.find(key);
  if (lane == lanes_.end() || lane->second.head != offset) return;
  note_freed(key, at);
  if (lane->second.behind.empty()) {
    lanes_.erase(lane);
    return;
  }
  const std::uint64_t next = lane->second.behind.front();
  lane->second.behind.pop_front();
  lane->second.head = next;
  Item item;
  item.lane = key;
  items_.emplace(next, std::move(item));
  ready_.insert(next);
}

void GroupState::give_back(std::uint64_t offset, std::int64_t retry_at_ms, bool counts) {
  Item* item = find(offset);
  if (item == nullptr || item->until_ms == 0) return;
  leases_.erase({item->until_ms, offset});
  item->until_ms = 0;
  item->consumer.clear();
  item->retry_at_ms = retry_at_ms;
  if (!counts && item->attempt > 0) --item->attempt;
  make_ready(offset, *item);
}

void GroupState::extend(std::uint64_t offset, std::int64_t until_ms) {
  Item* item = find(offset);
  if (item == nullptr || item->until_ms == 0) return;
  leases_.erase({item->until_ms, offset});
  item->until_ms = until_ms;
  leases_.emplace(until_ms, offset);
}

void GroupState::note_freed(LaneKey lane, std::uint64_t at) {
  if (freed_.lanes.size() >= kFreedMax) freed_before_ = std::exchange(freed_, {});
  freed_.lanes[lane] = at;
  freed_.newest = at;
}

void GroupState::forget_freed(std::uint64_t durable) {
  if (freed_before_.newest >= durable || freed_.lanes.empty()) return;
  freed_before_ = std::exchange(freed_, {});
  if (freed_before_.newest < durable) freed_before_ = {};
}

bool GroupState::waits_for_ack(std::uint64_t offset, std::uint64_t durable) const {
  if (freed_.lanes.empty() && freed_before_.lanes.empty()) return false;
  const LaneKey lane = items_.at(offset).lane;
  for (const Freed* freed : {&freed_, &freed_before_}) {
    const auto found = freed->lanes.find(lane);
    if (found != freed->lanes.end() && found->second >= durable) return true;
  }
  return false;
}

std::vector<std::uint64_t> GroupState::ready(std::int64_t now_ms, std::uint64_t durable,
                                             std::size_t count) {
  forget_freed(durable);
  while (!resting_.empty() && resting_.begin()->first <= now_ms) {
    ready_.insert(resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
  while (ready_.size() < count && !unseen_.empty() && unseen_.front().offset < durable) {
    look_at(unseen_.front());
    unseen_.pop_front();
  }
  std::vector<std::uint64_t> out;
  for (auto at = ready_.begin(); at != ready_.end() && *at < durable && out.size() < count; ++at) {
    if (!waits_for_ack(*at, durable)) out.push_back(*at);
  }
  return out;
}

const GroupState::Item* GroupState::leased(std::uint64_t offset) const {
  const auto found = items_.find(offset);
  return found != items_.end() && found->second.until_ms != 0 ? &found->second : nullptr;
}

std::uint32_t GroupState::attempts(std::uint64_t offset) const {
  const auto found = items_.find(offset);
  return found == items_.end() ? 0 : found->second.attempt;
}

std::vector<std::uint64_t> GroupState::run_out(std::int64_t now_ms) const {
  std::vector<std::uint64_t> out;
  for (const auto& [until_ms, offset] : leases_) {
    if (until_ms > now_ms) break;
    out.push_back(offset);
  }
  return out;
}

std::vector<std::uint64_t> GroupState::leased_by(std::string_view consumer_prefix) const {
  std::vector<std::uint64_t> out;
  for (const auto& [until_ms, offset] : leases_) {
    if (items_.at(offset).consumer.starts_with(consumer_prefix)) out.push_back(offset);
  }
  return out;
}

std::optional<std::int64_t> GroupState::next_time_ms() const {
  std::optional<std::int64_t> soonest;
  if (!leases_.empty()) soonest = leases_.begin()->first;
  if (!resting_.empty()) soonest = std::min(soonest.value_or(INT64_MAX), resting_.begin()->first);
  return soonest;
}

// What is blocked stands behind an Item that is older.
std::optional<std::uint64_t> GroupState::oldest() const {
  if (!items_.empty()) return items_.begin()->first;
  if (!unseen_.empty()) return unseen_.front().offset;
  return std::nullopt;
}

void GroupState::save(std::string& out) const {
  const LogRecord spec = encode(Record(record::GroupCreated{0, spec_}));
  put_bytes(out, spec.bytes);
  put_varint(out, acked_);
  std::vector<Place> places;
  std::string touched;
  std::size_t touched_count = 0;
  for (const auto& [offset, item] : items_) {
    if (untouched(item)) {
      places.push_back({offset, item.lane});
      continue;
    }
    ++touched_count;
    put_varint(touched, offset);
    put_varint(touched, item.lane);
    put_varint(touched, item.attempt);
    put_signed(touched, item.until_ms);
    put_signed(touched, item.retry_at_ms);
    put_bytes(touched, item.consumer);
  }
  for (const auto& [key, lane] : lanes_) {
    for (const std::uint64_t offset : lane.behind) places.push_back({offset, key});
  }
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.offset < b.offset; });
  put_varint(out, touched_count);
  out.append(touched);
  put_varint(out, places.size() + unseen_.size());
  std::uint64_t last = 0;
  put_places(out, places, last);
  put_places(out, unseen_, last);
}

bool GroupState::restore(WireReader& in) {
  LogRecord spec;
  spec.kind = static_cast<std::uint8_t>(Record(record::GroupCreated{}).index());
  spec.bytes = in.bytes();
  const Result<Record> decoded = decode_record(spec);
  if (!decoded) return false;
  spec_ = std::get<record::GroupCreated>(*decoded).spec;
  acked_ = in.varint();
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    const std::uint64_t offset = in.varint();
    Item& item = items_[offset];
    item.lane = in.varint();
    item.attempt = static_cast<std::uint32_t>(in.varint());
    item.until_ms = in.signed_varint();
    item.retry_at_ms = in.signed_varint();
    item.consumer = in.bytes();
    if (has_lane(item)) lanes_[item.lane].head = offset;
    if (item.until_ms != 0) {
      leases_.emplace(item.until_ms, offset);
    } else {
      make_ready(offset, item);
    }
  }
  std::uint64_t last = 0;
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    last += in.varint();
    unseen_.push_back({last, in.varint()});
  }
  open_ = items_.size() + unseen_.size();
  if (!items_.empty()) look_up_to(items_.rbegin()->first);
  return in.ok();
}

}  // namespace qiao
