// SPDX-License-Identifier: Apache-2.0
#include "broker/group_state.h"

#include <algorithm>
#include <utility>

namespace qiao {
namespace {

using broker::Facts;
using broker::LaneKey;
using broker::Place;

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

// -- What stands where

void GroupState::add(Place place, const Facts& facts) {
  if (spec_.start.at == GroupStart::At::kOffset && place.offset < spec_.start.offset) return;
  unseen_.push_back(place);
  if (!facts.usual()) facts_.emplace(place.offset, facts);
  ++open_;
}

void GroupState::look_up_to(std::uint64_t offset) {
  while (!unseen_.empty() && unseen_.front().offset <= offset) {
    look_at(unseen_.front());
    unseen_.pop_front();
  }
}

void GroupState::look_ahead(std::uint64_t durable) {
  while (ready_.size() < kLookAheadMax && !unseen_.empty() && unseen_.front().offset < durable) {
    look_at(unseen_.front());
    unseen_.pop_front();
  }
}

void GroupState::look_at(Place place) {
  if (spec_.ordered && place.lane != 0) {
    const auto [lane, first] = lanes_.try_emplace(place.lane);
    if (!first) return lane->second.behind.push_back(place.offset);
    lane->second.head = place.offset;
  }
  make_item(place);
}

void GroupState::make_item(Place place) {
  Item item;
  item.lane = place.lane;
  item.retry_at_ms = facts(place.offset).deliver_at_ms;
  make_ready(place.offset, items_.emplace(place.offset, std::move(item)).first->second);
}

void GroupState::make_ready(std::uint64_t offset, const Item& item) {
  if (item.retry_at_ms > 0) {
    resting_.emplace(item.retry_at_ms, offset);
  } else {
    ready_.insert(offset, facts(offset));
  }
}

// From the lists of what may be leased, rests or is leased.
void GroupState::unlist(std::uint64_t offset, const Item& item) {
  ready_.erase(offset, facts(offset));
  resting_.erase({item.retry_at_ms, offset});
  if (leases_.erase({item.until_ms, offset}) > 0) leased_followers_ -= followers(offset).size();
}

GroupState::Item* GroupState::find(std::uint64_t offset) {
  look_up_to(offset);
  const auto found = items_.find(offset);
  return found == items_.end() ? nullptr : &found->second;
}

Facts GroupState::facts(std::uint64_t offset) const {
  if (facts_.empty()) return {};
  const auto found = facts_.find(offset);
  return found == facts_.end() ? Facts{} : found->second;
}

const std::vector<std::uint64_t>& GroupState::followers(std::uint64_t offset) const {
  static const std::vector<std::uint64_t> kNone;
  const auto found = followers_.find(offset);
  return found == followers_.end() ? kNone : found->second;
}

// Nothing has happened to it: all there is to know is its place and its facts.
bool GroupState::untouched(std::uint64_t offset, const Item& item) const {
  return item.attempt == 0 && item.until_ms == 0 &&
         item.retry_at_ms == facts(offset).deliver_at_ms && !parked_.contains(offset) &&
         !followers_.contains(offset) && receipts_.of(offset).empty();
}

// -- What happens to it

void GroupState::lease(const record::Leased& leased) {
  Item* item = find(leased.offset);
  if (item == nullptr) return;
  ready_.leased(leased.offset);
  unlist(leased.offset, *item);
  parked_.erase(leased.offset);
  item->retry_at_ms = 0;
  item->attempt = leased.attempt;
  item->until_ms = leased.until_ms;
  item->lease = leased.lease;
  item->consumer = leased.consumer;
  leases_.emplace(item->until_ms, leased.offset);
  leased_followers_ += followers(leased.offset).size();
}

void GroupState::ack(std::uint64_t offset, std::uint64_t at) {
  if (find(offset) == nullptr) return;
  for (const std::uint64_t follower : followers(offset)) facts_.erase(follower);
  const std::uint64_t count = 1 + followers(offset).size();
  forget(offset, at);
  open_ -= count;
  acked_ += count;
}

// Requires: it is an Item. Its lane moves on.
void GroupState::forget(std::uint64_t offset, std::uint64_t at) {
  const auto item = items_.find(offset);
  unlist(offset, item->second);
  const LaneKey lane = has_lane(item->second) ? item->second.lane : 0;
  items_.erase(item);
  followers_.erase(offset);
  parked_.erase(offset);
  facts_.erase(offset);
  receipts_.forget(offset);
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
  lane->second.head = lane->second.behind.front();
  lane->second.behind.pop_front();
  make_item({lane->second.head, key});
}

void GroupState::remove(const std::vector<std::uint64_t>& offsets, std::uint64_t at) {
  if (offsets.empty() || open_ == 0) return;
  remove_unseen(offsets, at);
  remove_blocked(offsets);  // before the heads: one of these must not become ready
  for (const std::uint64_t offset : offsets) {
    const auto found = items_.find(offset);
    if (found == items_.end() || found->second.until_ms != 0) continue;
    const std::vector<std::uint64_t>& freed = followers(offset);
    if (!freed.empty()) {
      auto& behind = lanes_.at(found->second.lane).behind;
      behind.insert(behind.begin(), freed.begin(), freed.end());
    }
    forget(offset, at);
    --open_;
  }
}

// A crash may bring them back: what is behind them in their lanes waits until it cannot.
void GroupState::remove_unseen(const std::vector<std::uint64_t>& offsets, std::uint64_t at) {
  const auto below = [](const Place& place, std::uint64_t offset) { return place.offset < offset; };
  const auto begin = std::lower_bound(unseen_.begin(), unseen_.end(), offsets.front(), below);
  const auto end = std::lower_bound(begin, unseen_.end(), offsets.back() + 1, below);
  const auto kept = std::remove_if(begin, end, [&](const Place& place) {
    if (!std::binary_search(offsets.begin(), offsets.end(), place.offset)) return false;
    facts_.erase(place.offset);
    if (spec_.ordered && place.lane != 0) note_freed(place.lane, at);
    return true;
  });
  open_ -= static_cast<std::uint64_t>(end - kept);
  unseen_.erase(kept, end);
}

// Those in lanes behind a head, and those that follow one that is not leased.
void GroupState::remove_blocked(const std::vector<std::uint64_t>& offsets) {
  const auto gone = [&](std::uint64_t offset) {
    if (!std::binary_search(offsets.begin(), offsets.end(), offset)) return false;
    facts_.erase(offset);
    return true;
  };
  if (open_ == items_.size() + unseen_.size()) return;  // nothing is blocked
  for (auto& [key, lane] : lanes_) open_ -= std::erase_if(lane.behind, gone);
  for (auto follow = followers_.begin(); follow != followers_.end();) {
    if (leased(follow->first) == nullptr) open_ -= std::erase_if(follow->second, gone);
    follow = follow->second.empty() ? followers_.erase(follow) : std::next(follow);
  }
}

void GroupState::give_back(std::uint64_t offset, std::int64_t retry_at_ms, bool counts) {
  Item* item = find(offset);
  if (item == nullptr || item->until_ms == 0) return;
  end_lease(offset, *item, retry_at_ms, counts);
}

void GroupState::end_lease(std::uint64_t offset, Item& item, std::int64_t rest_until_ms,
                           bool counts) {
  unlist(offset, item);
  item.until_ms = 0;
  item.lease = 0;
  item.consumer.clear();
  item.retry_at_ms = rest_until_ms;
  if (!counts && item.attempt > 0) --item.attempt;
  make_ready(offset, item);
}

void GroupState::extend(std::uint64_t offset, std::int64_t until_ms) {
  Item* item = find(offset);
  if (item == nullptr || item->until_ms == 0) return;
  leases_.erase({item->until_ms, offset});
  item->until_ms = until_ms;
  leases_.emplace(until_ms, offset);
}

void GroupState::park(std::uint64_t offset, std::int64_t until_ms, const std::string& reason) {
  Item* item = find(offset);
  if (item == nullptr || item->until_ms == 0) return;
  end_lease(offset, *item, until_ms, false);
  parked_[offset] = reason;
}

void GroupState::wake(std::uint64_t offset) {
  Item* item = find(offset);
  if (item == nullptr || parked_.erase(offset) == 0) return;
  unlist(offset, *item);
  item->retry_at_ms = 0;
  make_ready(offset, *item);
}

void GroupState::join(std::uint64_t offset, const std::vector<std::uint64_t>& followers) {
  const Item* item = find(offset);
  if (item == nullptr || item->until_ms == 0 || !has_lane(*item) || followers.empty()) return;
  look_up_to(followers.back());
  std::deque<std::uint64_t>& behind = lanes_.at(item->lane).behind;
  for (const std::uint64_t follower : followers) {
    if (std::erase(behind, follower) == 0) continue;
    followers_[offset].push_back(follower);
    ++leased_followers_;
  }
}

void GroupState::receipt(const record::Receipt& receipt, std::uint64_t at) {
  if (find(receipt.offset) == nullptr) return;
  receipts_.add(receipt.offset, {at, receipt.data.size(), receipt.step});
}

// -- What may happen next

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
  if (!facts_.empty()) look_ahead(durable);  // the best may not be the oldest
  rouse(now_ms);
  while (ready_.size() < count && !unseen_.empty() && unseen_.front().offset < durable) {
    look_at(unseen_.front());
    unseen_.pop_front();
    rouse(now_ms);
  }
  return ready_.pick(durable, count, [&](std::uint64_t offset) {
    return waits_for_ack(offset, durable) || receipts_.newest(offset) >= durable;
  });
}

// What has rested long enough.
void GroupState::rouse(std::int64_t now_ms) {
  while (!resting_.empty() && resting_.begin()->first <= now_ms) {
    const std::uint64_t offset = resting_.begin()->second;
    ready_.insert(offset, facts(offset));
    resting_.erase(resting_.begin());
  }
}

std::vector<std::uint64_t> GroupState::joinable(std::uint64_t offset, std::int64_t now_ms,
                                                std::uint64_t durable) {
  const Item* item = find(offset);
  if (item == nullptr || !has_lane(*item)) return {};
  look_ahead(durable);
  std::vector<std::uint64_t> out;
  const std::size_t have = followers(offset).size();
  for (const std::uint64_t next : lanes_.at(item->lane).behind) {
    if (next >= durable || have + out.size() >= spec_.followers_max) break;
    if (facts(next).deliver_at_ms > now_ms) break;
    out.push_back(next);
  }
  return out;
}

// Every waiting message is looked at: a group that asks this keeps few.
bool GroupState::busy(LaneKey lane) {
  if (!unseen_.empty()) look_up_to(unseen_.back().offset);
  return lanes_.contains(lane);
}

bool GroupState::holds(Place place) const {
  if (items_.contains(place.offset)) return true;
  const auto below = [](const Place& one, std::uint64_t offset) { return one.offset < offset; };
  const auto unseen = std::lower_bound(unseen_.begin(), unseen_.end(), place.offset, below);
  if (unseen != unseen_.end() && unseen->offset == place.offset) return true;
  if (!spec_.ordered || place.lane == 0) return false;
  const auto lane = lanes_.find(place.lane);
  if (lane == lanes_.end()) return false;
  const std::deque<std::uint64_t>& behind = lane->second.behind;
  if (std::binary_search(behind.begin(), behind.end(), place.offset)) return true;
  const std::vector<std::uint64_t>& with = followers(lane->second.head);
  return std::find(with.begin(), with.end(), place.offset) != with.end();
}

std::optional<std::uint64_t> GroupState::leased_of(LaneKey lane) const {
  const auto found = lanes_.find(lane);
  if (found == lanes_.end() || leased(found->second.head) == nullptr) return std::nullopt;
  return found->second.head;
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

bool GroupState::is_parked(std::uint64_t offset, std::int64_t now_ms) const {
  return parked_.contains(offset) && items_.at(offset).retry_at_ms > now_ms;
}

std::vector<GroupState::ParkedItem> GroupState::parked(std::int64_t now_ms) const {
  std::vector<ParkedItem> out;
  for (const auto& [offset, reason] : parked_) {
    const std::int64_t until_ms = items_.at(offset).retry_at_ms;
    if (until_ms > now_ms) out.push_back({offset, until_ms, reason});
  }
  return out;
}

std::optional<std::int64_t> GroupState::next_lease_end_ms() const {
  return leases_.empty() ? std::nullopt : std::optional(leases_.begin()->first);
}

std::optional<std::int64_t> GroupState::next_rest_end_ms() const {
  return resting_.empty() ? std::nullopt : std::optional(resting_.begin()->first);
}

// What is blocked stands behind an Item that is older.
std::optional<std::uint64_t> GroupState::oldest() const {
  if (!items_.empty()) return items_.begin()->first;
  if (!unseen_.empty()) return unseen_.front().offset;
  return std::nullopt;
}

// -- Its bytes

void GroupState::save_item(std::string& out, std::uint64_t offset, const Item& item) const {
  put_varint(out, offset);
  put_varint(out, item.lane);
  put_varint(out, item.attempt);
  put_signed(out, item.until_ms);
  put_signed(out, item.retry_at_ms);
  put_varint(out, item.lease);
  put_bytes(out, item.consumer);
  const auto parked = parked_.find(offset);
  put_varint(out, parked != parked_.end() ? 1 : 0);
  if (parked != parked_.end()) put_bytes(out, parked->second);
  put_varint(out, followers(offset).size());
  for (const std::uint64_t follower : followers(offset)) put_varint(out, follower - offset);
  receipts_.write(offset, out);
}

void GroupState::restore_item(WireReader& in, std::uint64_t form) {
  const std::uint64_t offset = in.varint();
  Item& item = items_[offset];
  item.lane = in.varint();
  item.attempt = static_cast<std::uint32_t>(in.varint());
  item.until_ms = in.signed_varint();
  item.retry_at_ms = in.signed_varint();
  if (form >= 4) item.lease = in.varint();
  item.consumer = in.bytes();
  if (form >= 3) {
    if (in.varint() != 0) parked_.emplace(offset, in.bytes());
    for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left)
      followers_[offset].push_back(offset + in.varint());
  }
  if (form >= 4) receipts_.read(offset, in);
  open_ += 1 + followers(offset).size();
  if (has_lane(item)) lanes_[item.lane].head = offset;
  if (item.until_ms == 0) return make_ready(offset, item);
  leases_.emplace(item.until_ms, offset);
  leased_followers_ += followers(offset).size();
}

void GroupState::save(std::string& out) const {
  const LogRecord spec = encode(Record(record::GroupCreated{0, spec_}));
  put_bytes(out, spec.bytes);
  put_varint(out, acked_);
  put_varint(out, facts_.size());
  for (const auto& [offset, facts] : facts_) {
    put_varint(out, offset);
    put_facts(out, facts);
  }
  std::vector<Place> places;
  std::string touched;
  std::size_t touched_count = 0;
  for (const auto& [offset, item] : items_) {
    if (untouched(offset, item)) {
      places.push_back({offset, item.lane});
      continue;
    }
    ++touched_count;
    save_item(touched, offset, item);
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

bool GroupState::restore(WireReader& in, std::uint64_t form) {
  LogRecord spec;
  spec.kind = static_cast<std::uint8_t>(Record(record::GroupCreated{}).index());
  spec.bytes = in.bytes();
  const Result<Record> decoded = decode_record(spec);
  if (!decoded) return false;
  spec_ = std::get<record::GroupCreated>(*decoded).spec;
  acked_ = in.varint();
  for (std::uint64_t left = form >= 3 ? in.varint() : 0; left > 0 && in.ok(); --left) {
    const std::uint64_t offset = in.varint();
    facts_[offset] = broker::take_facts(in);
  }
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) restore_item(in, form);
  std::uint64_t last = 0;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    last += in.varint();
    unseen_.push_back({last, in.varint()});
  }
  open_ += unseen_.size();
  if (!items_.empty()) look_up_to(items_.rbegin()->first);
  return in.ok();
}

}  // namespace qiao
