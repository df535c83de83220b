// SPDX-License-Identifier: Apache-2.0
#include "broker/group_state.h"

#include <algorithm>

namespace qiao {

void GroupState::add(std::uint64_t offset, std::uint32_t conversation) {
  Item& item = items_[offset];
  item.conversation = conversation;
  if (spec_.ordered && conversation != 0) lanes_[conversation].push_back(offset);
  make_ready(offset, item);
}

bool GroupState::first_in_lane(std::uint64_t offset, const Item& item) const {
  if (!spec_.ordered || item.conversation == 0) return true;
  const auto lane = lanes_.find(item.conversation);
  return lane == lanes_.end() || lane->second.front() == offset;
}

void GroupState::make_ready(std::uint64_t offset, Item& item) {
  if (!first_in_lane(offset, item)) return;  // ack of the one before it does this
  if (item.retry_at_ms > 0) {
    resting_.emplace(item.retry_at_ms, offset);
  } else {
    ready_.insert(offset);
  }
}

void GroupState::lease(const record::Leased& leased) {
  const auto found = items_.find(leased.offset);
  if (found == items_.end()) return;
  Item& item = found->second;
  ready_.erase(leased.offset);
  resting_.erase({item.retry_at_ms, leased.offset});
  leases_.erase({item.until_ms, leased.offset});
  item.retry_at_ms = 0;
  item.attempt = leased.attempt;
  item.until_ms = leased.until_ms;
  item.consumer = leased.consumer;
  leases_.emplace(item.until_ms, leased.offset);
}

void GroupState::ack(std::uint64_t offset) {
  const auto found = items_.find(offset);
  if (found == items_.end()) return;
  const Item item = std::move(found->second);
  items_.erase(found);
  ready_.erase(offset);
  resting_.erase({item.retry_at_ms, offset});
  leases_.erase({item.until_ms, offset});
  ++acked_;
  const auto lane = lanes_.find(item.conversation);
  if (!spec_.ordered || item.conversation == 0 || lane == lanes_.end()) return;
  std::erase(lane->second, offset);
  if (lane->second.empty()) {
    lanes_.erase(lane);
  } else {
    const std::uint64_t following = lane->second.front();
    if (Item& next_item = items_.at(following); next_item.until_ms == 0)
      make_ready(following, next_item);
  }
}

void GroupState::give_back(std::uint64_t offset, std::int64_t retry_at_ms, bool counts) {
  const auto found = items_.find(offset);
  if (found == items_.end()) return;
  Item& item = found->second;
  leases_.erase({item.until_ms, offset});
  item.until_ms = 0;
  item.consumer.clear();
  item.retry_at_ms = retry_at_ms;
  if (!counts && item.attempt > 0) --item.attempt;
  make_ready(offset, item);
}

void GroupState::extend(std::uint64_t offset, std::int64_t until_ms) {
  const auto found = items_.find(offset);
  if (found == items_.end() || found->second.until_ms == 0) return;
  leases_.erase({found->second.until_ms, offset});
  found->second.until_ms = until_ms;
  leases_.emplace(until_ms, offset);
}

std::optional<std::uint64_t> GroupState::next(std::int64_t now_ms, std::uint64_t durable) {
  while (!resting_.empty() && resting_.begin()->first <= now_ms) {
    const std::uint64_t offset = resting_.begin()->second;
    resting_.erase(resting_.begin());
    items_.at(offset).retry_at_ms = 0;
    ready_.insert(offset);
  }
  if (ready_.empty() || *ready_.begin() >= durable) return std::nullopt;
  return *ready_.begin();
}

const GroupState::Item* GroupState::item(std::uint64_t offset) const {
  const auto found = items_.find(offset);
  return found == items_.end() ? nullptr : &found->second;
}

const GroupState::Item* GroupState::leased(std::uint64_t offset) const {
  const Item* found = item(offset);
  return found != nullptr && found->until_ms != 0 ? found : nullptr;
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

std::optional<std::uint64_t> GroupState::oldest() const {
  if (items_.empty()) return std::nullopt;
  return items_.begin()->first;
}

void GroupState::save(std::string& out) const {
  const LogRecord spec = encode(Record(record::GroupCreated{0, spec_}));
  put_bytes(out, spec.bytes);
  put_varint(out, acked_);
  put_varint(out, items_.size());
  for (const auto& [offset, item] : items_) {
    put_varint(out, offset);
    put_varint(out, item.conversation);
    put_varint(out, item.attempt);
    put_signed(out, item.until_ms);
    put_signed(out, item.retry_at_ms);
    put_bytes(out, item.consumer);
  }
}

bool GroupState::restore(WireReader& in) {
  LogRecord spec;
  spec.kind = static_cast<std::uint8_t>(Record(record::GroupCreated{}).index());
  spec.bytes = in.bytes();
  const Result<Record> decoded = decode_record(spec);
  if (!decoded) return false;
  spec_ = std::get<record::GroupCreated>(*decoded).spec;
  acked_ = in.varint();
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    const std::uint64_t offset = in.varint();
    const auto conversation = static_cast<std::uint32_t>(in.varint());
    if (spec_.ordered && conversation != 0) lanes_[conversation].push_back(offset);
    Item& item = items_[offset];
    item.conversation = conversation;
    item.attempt = static_cast<std::uint32_t>(in.varint());
    item.until_ms = in.signed_varint();
    item.retry_at_ms = in.signed_varint();
    item.consumer = in.bytes();
    if (item.until_ms != 0) {
      leases_.emplace(item.until_ms, offset);
    } else {
      make_ready(offset, item);
    }
  }
  return in.ok();
}

}  // namespace qiao
