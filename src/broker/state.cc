// SPDX-License-Identifier: Apache-2.0
#include "broker/state.h"

#include <algorithm>

#include "broker/hash.h"
#include "message/subject.h"
#include "message/wire.h"

namespace qiao {
namespace {

using broker::Facts;
using broker::OffsetList;
using broker::Place;

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
    void operator()(const record::Receipt& r) const {
      if (GroupState* group = state.group(r.group)) group->receipt(r, offset);
    }
    // Of the record alone: nothing is decided by them.
    void operator()(const record::Event&) const {}
    void operator()(const record::TopicSet&) const {}
  };
  last_ms_ = std::max(last_ms_, time_of(record));
  std::visit(Visitor{*this, offset}, record);
}

void State::apply_published(std::uint64_t offset, const Message& message) {
  last_ms_ = std::max(last_ms_, message.time_ms);
  dedupe_.insert(broker::stable_hash(message.id), offset);
  if (message.subject.starts_with(kInboxPrefix)) return;
  const Place place{offset, broker::lane_of(message.conversation)};
  auto topic = topics_.find(message.subject);
  if (topic == topics_.end()) topic = topics_.emplace(message.subject, OffsetList()).first;
  topic->second.append(place);
  const Facts facts = broker::facts_of(message);
  if (facts.priority != broker::kUsualPriority || facts.deliver_at_ms != 0)
    facts_.emplace(offset, facts);
  group_tree_.match(message.subject, [&](GroupState* group) { group->add(place, facts); });
}

// A group that has leased one of them keeps it until it is acked or given up.
void State::apply_removed(std::uint64_t offset, const record::Removed& removed) {
  for (auto& [subject, list] : topics_) list.remove(removed.offsets);
  std::erase_if(topics_, [](const auto& topic) { return topic.second.count() == 0; });
  for (const std::uint64_t gone : removed.offsets) facts_.erase(gone);
  for (auto& [name, group] : groups_) group.remove(removed.offsets, offset);
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
  return out;
}

Status State::restore(std::string_view bytes) {
  const Error damaged{Code::kCorrupt,
                      "the snapshot of the broker's state is not in the form of this version"};
  WireReader in(bytes);
  const std::uint64_t version = in.varint();
  if (version < kOldestVersion || version > kSnapshotVersion) return damaged;
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    std::string subject(in.bytes());
    QIAO_ASSIGN(OffsetList list, OffsetList::read(in));
    topics_.emplace(std::move(subject), std::move(list));
  }
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
  } else if (!in.at_end()) {
    time_ms_ = in.signed_varint();  // some of them end here
  }
  if (!in.ok() || !in.at_end()) return damaged;
  return {};
}

}  // namespace qiao
