// SPDX-License-Identifier: Apache-2.0
#include "broker/state.h"

#include <algorithm>

#include "broker/hash.h"
#include "message/subject.h"
#include "message/wire.h"

namespace qiao {
namespace {

using broker::Facts;
using broker::Listed;
using broker::OffsetList;
using broker::Place;

// Version 4 knows names of leases, receipts, keys, times and sizes of messages, how topics are
// kept, and what messages have left for what they cause; 3 priorities, parks and streams.
constexpr std::uint64_t kSnapshotVersion = 4;
constexpr std::uint64_t kOldestVersion = 2;

std::int64_t time_of(const Record& record) {
  return std::visit(
      [](const auto& r) {
        if constexpr (requires { r.time_ms; }) {
          return r.time_ms;
        } else {
          return r.message.time_ms;
        }
      },
      record);
}

}  // namespace

void State::apply(std::uint64_t offset, const Record& record) {
  struct Visitor {
    State& state;
    std::uint64_t offset;
    void operator()(const record::Published& r) const { state.apply_published(offset, r.message); }
    void operator()(const record::GroupCreated& r) const { state.apply_group_created(offset, r); }
    void operator()(const record::GroupDeleted& r) const { state.delete_group(r.group); }
    void operator()(const record::Leased& r) const {
      state.time_ms_ = std::max(state.time_ms_, r.time_ms);
      if (GroupState* group = state.group(r.group)) group->lease(r);
    }
    void operator()(const record::Acked& r) const {
      state.time_ms_ = std::max(state.time_ms_, r.time_ms);
      if (GroupState* group = state.group(r.group)) group->ack(r.offset, offset);
    }
    void operator()(const record::Nacked& r) const {
      if (GroupState* group = state.group(r.group))
        group->give_back(r.offset, r.retry_at_ms, r.counts);
    }
    void operator()(const record::Extended& r) const {
      state.time_ms_ = std::max(state.time_ms_, r.time_ms);
      if (GroupState* group = state.group(r.group)) group->extend(r.offset, r.until_ms);
    }
    void operator()(const record::Expired& r) const {
      state.time_ms_ = std::max(state.time_ms_, r.time_ms);
      if (GroupState* group = state.group(r.group)) group->give_back(r.offset, r.retry_at_ms, true);
    }
    void operator()(const record::Chunk& r) const { state.streams_.apply(offset, r); }
    void operator()(const record::Removed& r) const { state.apply_removed(offset, r); }
    void operator()(const record::Parked& r) const {
      if (GroupState* group = state.group(r.group)) group->park(r.offset, r.until_ms, r.reason);
    }
    void operator()(const record::Woken& r) const {
      if (GroupState* group = state.group(r.group)) group->wake(r.offset);
    }
    void operator()(const record::Joined& r) const {
      if (GroupState* group = state.group(r.group)) group->join(r.offset, r.followers);
    }
    void operator()(const record::TopicSet& r) const { state.apply_topic_set(r); }
    void operator()(const record::Receipt& r) const {
      if (GroupState* group = state.group(r.group)) group->receipt(r, offset);
    }
    // Of the record alone: nothing is decided by them.
    void operator()(const record::Event&) const {}
  };
  last_ms_ = std::max(last_ms_, time_of(record));
  std::visit(Visitor{*this, offset}, record);
}

void State::apply_published(std::uint64_t offset, const Message& message) {
  last_ms_ = std::max(last_ms_, message.time_ms);
  if (!message.cause.empty()) {
    if (const auto cause = offset_hint(message.cause)) budgets_.charge(*cause, message.budget);
  }
  budgets_.add(offset, message.budget);
  dedupe_.insert(broker::stable_hash(message.id), offset);
  if (message.subject.starts_with(kInboxPrefix)) return;
  const Place place{offset, broker::lane_of(message.conversation)};
  auto topic = topics_.find(message.subject);
  if (topic == topics_.end()) topic = topics_.emplace(message.subject, OffsetList()).first;
  const Listed listed{place, broker::key_of(message), message.time_ms, broker::bytes_of(message)};
  topic->second.append(listed);
  if (place.lane != 0 && !last_.empty()) {
    if (const auto last = last_.find(message.subject); last != last_.end())
      last->second[place.lane] = offset;
  }
  if (listed.key != 0) {
    if (const auto keys = keys_.find(message.subject); keys != keys_.end()) {
      keys->second.add(listed);
    } else if (const TopicSpec* spec = specs_.find(message.subject); spec && spec->compact) {
      keys_.emplace(message.subject, broker::KeyIndex(topic->second));
    }
  }
  const Facts facts = broker::facts_of(message);
  if (facts.priority != broker::kUsualPriority || facts.deliver_at_ms != 0)
    facts_.emplace(offset, facts);
  group_tree_.match(message.subject, [&](GroupState* group) { group->add(place, facts); });
}

// A group that has leased one of them keeps it until it is acked or given up.
void State::apply_removed(std::uint64_t offset, const record::Removed& removed) {
  const auto begin = removed.topic.empty() ? topics_.begin() : topics_.find(removed.topic);
  for (auto topic = begin; topic != topics_.end();) {
    if (!removed.topic.empty() && topic->first != removed.topic) break;
    forget_keys(topic->first, topic->second, removed.offsets);
    topic->second.remove(removed.offsets);
    if (topic->second.count() > 0) {
      ++topic;
      continue;
    }
    keys_.erase(topic->first);
    last_.erase(topic->first);
    topic = topics_.erase(topic);
  }
  for (const std::uint64_t gone : removed.offsets) facts_.erase(gone);
  if (!removed.topic.empty()) {
    for_groups_of(removed.topic, [&](GroupState& group) { group.remove(removed.offsets, offset); });
    return;
  }
  for (auto& [name, group] : groups_) group.remove(removed.offsets, offset);
}

// Before they leave the list, which knows their keys.
void State::forget_keys(std::string_view subject, const OffsetList& list,
                        const std::vector<std::uint64_t>& offsets) {
  const auto keys = keys_.find(subject);
  if (keys == keys_.end()) return;
  for (const std::uint64_t gone : offsets) {
    const OffsetList::Cursor at(list, gone);
    if (!at.at_end() && at.place().offset == gone) keys->second.remove(at.listed());
  }
}

void State::apply_topic_set(const record::TopicSet& set) {
  if (set.erased) {
    specs_.erase(set.spec.pattern);
  } else {
    specs_.set(set.spec);
  }
  index_keys();
}

// For exactly those topics that are compacted.
void State::index_keys() {
  for (const auto& [subject, list] : topics_) {
    const TopicSpec* spec = specs_.find(subject);
    if (spec == nullptr || !spec->compact) {
      keys_.erase(subject);
    } else if (!keys_.contains(subject)) {
      keys_.emplace(subject, broker::KeyIndex(list));
    }
  }
}

const broker::KeyIndex* State::keys_of(std::string_view subject) const {
  const auto found = keys_.find(subject);
  return found == keys_.end() ? nullptr : &found->second;
}

Result<std::optional<std::uint64_t>> State::last_of(std::string_view subject,
                                                    broker::LaneKey lane) {
  const auto topic = topics_.find(subject);
  if (topic == topics_.end()) return std::optional<std::uint64_t>();
  const auto made = last_.find(subject);
  if (made != last_.end() && made->second.size() <= kLanesMax) {
    const auto found = made->second.find(lane);
    if (found == made->second.end()) return std::optional<std::uint64_t>();
    if (topic->second.contains(found->second)) return std::optional(found->second);
  }
  LastOfLane& index = last_[topic->first];
  index.clear();
  for (OffsetList::Cursor at(topic->second, 0); !at.at_end(); at.next()) {
    if (at.place().lane != 0) index[at.place().lane] = at.place().offset;
    if (index.size() <= kLanesMax) continue;
    last_.erase(topic->first);
    return Error{Code::kUnsupported,
                 "topic '" + std::string(subject) +
                     "' has too many conversations to expect their last message"};
  }
  const auto found = index.find(lane);
  return found == index.end() ? std::optional<std::uint64_t>() : std::optional(found->second);
}

std::uint64_t State::first_needed(std::uint64_t next) const {
  std::uint64_t first = std::min(next, streams_.first_offset().value_or(next));
  for (const auto& [subject, list] : topics_) first = std::min(first, list.first());
  for (const auto& [name, group] : groups_) first = std::min(first, group.oldest().value_or(next));
  return first;
}

bool State::keeps(std::string_view subject, std::uint64_t offset) const {
  const auto topic = topics_.find(subject);
  return topic != topics_.end() && topic->second.contains(offset);
}

void State::apply_group_created(std::uint64_t offset, const record::GroupCreated& created) {
  const auto [found, made] = groups_.try_emplace(created.spec.name, created.spec);
  if (!made) return found->second.configure(created.spec);
  group_tree_.insert(created.spec.pattern, &found->second);
  const GroupStart& start = created.spec.start;
  if (start.at == GroupStart::At::kNow) return;
  const std::uint64_t from = start.at == GroupStart::At::kOldest ? 0 : start.offset;
  for (const Place& place : backlog(created.spec.pattern, from, offset)) {
    const auto facts = facts_.find(place.offset);
    found->second.add(place, facts == facts_.end() ? Facts{} : facts->second);
  }
}

void State::delete_group(const std::string& name) {
  const auto found = groups_.find(name);
  if (found == groups_.end()) return;
  group_tree_.erase(found->second.spec().pattern, &found->second);
  groups_.erase(found);
}

std::vector<Place> State::backlog(std::string_view pattern, std::uint64_t from,
                                  std::uint64_t end) const {
  std::vector<Place> places;
  for (const auto& [subject, list] : topics_) {
    if (!matches(pattern, subject)) continue;
    for (OffsetList::Cursor at(list, from); !at.at_end() && at.place().offset < end; at.next())
      places.push_back(at.place());
  }
  std::sort(places.begin(), places.end(),
            [](const Place& a, const Place& b) { return a.offset < b.offset; });
  return places;
}

std::optional<std::uint64_t> State::offset_hint(std::string_view id) const {
  return dedupe_.find(broker::stable_hash(id));
}

GroupState* State::group(std::string_view name) {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : &found->second;
}

bool State::any_group_matches(std::string_view subject) const {
  return group_tree_.any(subject);
}

std::vector<std::uint64_t> State::find(std::string_view pattern, std::uint64_t from,
                                       std::size_t limit) const {
  std::vector<std::uint64_t> out;
  const auto take = [&](const OffsetList& list) {
    if (list.last() < from) return;
    std::size_t taken = 0;
    for (OffsetList::Cursor at(list, from); !at.at_end() && taken < limit; at.next(), ++taken)
      out.push_back(at.place().offset);
  };
  if (!is_pattern(pattern)) {
    if (const auto topic = topics_.find(pattern); topic != topics_.end()) take(topic->second);
    return out;
  }
  for (const auto& [subject, list] : topics_) {
    if (matches(pattern, subject)) take(list);
  }
  std::sort(out.begin(), out.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

std::string State::save() const {
  std::string out;
  put_varint(out, kSnapshotVersion);
  put_varint(out, topics_.size());
  for (const auto& [subject, list] : topics_) {
    put_bytes(out, subject);
    list.write(out);
  }
  specs_.write(out);
  put_varint(out, groups_.size());
  for (const auto& [name, group] : groups_) group.save(out);
  dedupe_.write(out);
  put_varint(out, facts_.size());
  for (const auto& [offset, facts] : facts_) {
    put_varint(out, offset);
    broker::put_facts(out, facts);
  }
  put_signed(out, last_ms_);
  put_signed(out, time_ms_);
  streams_.write(out);
  budgets_.write(out);
  return out;
}

Status State::restore(std::string_view bytes) {
  const Error damaged{Code::kCorrupt,
                      "the snapshot of the broker's state is not in the form of this version"};
  WireReader in(bytes);
  const std::uint64_t version = in.varint();
  if (version < kOldestVersion || version > kSnapshotVersion) return damaged;
  const bool lists_know_times = version >= 4;
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    std::string subject(in.bytes());
    QIAO_ASSIGN(OffsetList list, OffsetList::read(in, lists_know_times ? OffsetList::kForm : 1));
    topics_.emplace(std::move(subject), std::move(list));
  }
  if (lists_know_times) QIAO_TRY(specs_.read(in));
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    GroupState group{GroupSpec{}};
    if (!group.restore(in, version)) return damaged;
    std::string name = group.spec().name;
    const auto [found, made] = groups_.emplace(std::move(name), std::move(group));
    if (made) group_tree_.insert(found->second.spec().pattern, &found->second);
  }
  QIAO_TRY(dedupe_.read(in));
  if (version >= 3) {
    for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
      const std::uint64_t offset = in.varint();
      facts_[offset] = broker::take_facts(in);
    }
    last_ms_ = in.signed_varint();
    time_ms_ = in.signed_varint();
    QIAO_TRY(streams_.read(in));
    if (version >= 4) budgets_.read(in);
  } else if (!in.at_end()) {
    time_ms_ = in.signed_varint();  // some of them end here
  }
  if (!in.ok() || !in.at_end()) return damaged;
  if (!lists_know_times) {
    for (auto& [subject, list] : topics_) list.assume_time(std::max(last_ms_, time_ms_));
  }
  index_keys();
  return {};
}

}  // namespace qiao
