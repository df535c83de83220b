// SPDX-License-Identifier: Apache-2.0
#include "broker/state.h"

#include <algorithm>

#include "message/subject.h"
#include "message/wire.h"

namespace qiao {
namespace {

constexpr std::uint64_t kSnapshotVersion = 1;

}  // namespace

void State::apply(std::uint64_t offset, const Record& record) {
  struct Visitor {
    State& state;
    std::uint64_t offset;
    void operator()(const record::Published& r) const { state.apply_published(offset, r.message); }
    void operator()(const record::GroupCreated& r) const { state.apply_group_created(offset, r); }
    void operator()(const record::GroupDeleted& r) const {
      state.groups_.erase(r.group);
      state.groups_of_subject_.clear();
    }
    void operator()(const record::Leased& r) const {
      if (GroupState* group = state.group(r.group)) group->lease(r);
    }
    void operator()(const record::Acked& r) const {
      if (GroupState* group = state.group(r.group)) group->ack(r.offset);
    }
    void operator()(const record::Nacked& r) const {
      if (GroupState* group = state.group(r.group))
        group->give_back(r.offset, r.retry_at_ms, r.counts);
    }
    void operator()(const record::Extended& r) const {
      if (GroupState* group = state.group(r.group)) group->extend(r.offset, r.until_ms);
    }
    void operator()(const record::Expired& r) const {
      if (GroupState* group = state.group(r.group)) group->give_back(r.offset, r.retry_at_ms, true);
    }
    void operator()(const record::Event&) const {}
  };
  std::visit(Visitor{*this, offset}, record);
}

void State::apply_published(std::uint64_t offset, const Message& message) {
  remember(message.id, offset);
  if (message.subject.starts_with(kInboxPrefix)) return;
  const std::uint32_t conversation = intern(message.conversation);
  auto topic = topics_.find(message.subject);
  if (topic == topics_.end()) topic = topics_.emplace(message.subject, std::deque<Kept>{}).first;
  topic->second.push_back({offset, conversation});
  for (GroupState* group : groups_of(message.subject)) group->add(offset, conversation);
}

void State::apply_group_created(std::uint64_t offset, const record::GroupCreated& created) {
  const auto [place, made] = groups_.try_emplace(created.spec.name, created.spec);
  if (!made) return;
  groups_of_subject_.clear();
  const GroupStart& start = created.spec.start;
  if (start.at == GroupStart::At::kNow) return;
  const std::uint64_t from = start.at == GroupStart::At::kOldest ? 0 : start.offset;
  std::vector<Kept> backlog;
  for (const auto& [subject, kept] : topics_) {
    if (!matches(created.spec.pattern, subject)) continue;
    for (const Kept& entry : kept) {
      if (entry.offset >= from && entry.offset < offset) backlog.push_back(entry);
    }
  }
  std::sort(backlog.begin(), backlog.end(),
            [](const Kept& a, const Kept& b) { return a.offset < b.offset; });
  for (const Kept& entry : backlog) place->second.add(entry.offset, entry.conversation);
}

std::uint32_t State::intern(const std::string& conversation) {
  if (conversation.empty()) return 0;
  return conversation_ids_
      .try_emplace(conversation, static_cast<std::uint32_t>(conversation_ids_.size() + 1))
      .first->second;
}

const std::vector<GroupState*>& State::groups_of(const std::string& subject) {
  const auto [place, made] = groups_of_subject_.try_emplace(subject);
  if (made) {
    for (auto& [name, group] : groups_) {
      if (matches(group.spec().pattern, subject)) place->second.push_back(&group);
    }
  }
  return place->second;
}

void State::remember(const std::string& id, std::uint64_t offset) {
  if (!offset_of_id_.try_emplace(id, offset).second) return;
  ids_.push_back(id);
  while (ids_.size() > dedupe_ids_max_) {
    offset_of_id_.erase(ids_.front());
    ids_.pop_front();
  }
}

std::optional<std::uint64_t> State::offset_of(const std::string& id) const {
  const auto found = offset_of_id_.find(id);
  if (found == offset_of_id_.end()) return std::nullopt;
  return found->second;
}

GroupState* State::group(std::string_view name) {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : &found->second;
}

bool State::any_group_matches(std::string_view subject) const {
  return std::any_of(groups_.begin(), groups_.end(), [&](const auto& entry) {
    return matches(entry.second.spec().pattern, subject);
  });
}

std::vector<std::uint64_t> State::find(std::string_view pattern, std::uint64_t from,
                                       std::size_t limit) const {
  std::vector<std::uint64_t> out;
  const auto take = [&](const std::deque<Kept>& kept) {
    auto entry =
        std::lower_bound(kept.begin(), kept.end(), from,
                         [](const Kept& a, std::uint64_t offset) { return a.offset < offset; });
    for (std::size_t n = 0; entry != kept.end() && n < limit; ++entry, ++n)
      out.push_back(entry->offset);
  };
  if (!is_pattern(pattern)) {
    if (const auto topic = topics_.find(pattern); topic != topics_.end()) take(topic->second);
    return out;
  }
  for (const auto& [subject, kept] : topics_) {
    if (matches(pattern, subject)) take(kept);
  }
  std::sort(out.begin(), out.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

std::map<std::string, State::Topic> State::topics() const {
  std::map<std::string, Topic> out;
  for (const auto& [subject, kept] : topics_) {
    if (!kept.empty()) out[subject] = {kept.size(), kept.front().offset, kept.back().offset};
  }
  return out;
}

std::string State::save() const {
  std::string out;
  put_varint(out, kSnapshotVersion);
  std::vector<const std::string*> conversations(conversation_ids_.size());
  for (const auto& [name, id] : conversation_ids_) conversations[id - 1] = &name;
  put_varint(out, conversations.size());
  for (const std::string* name : conversations) put_bytes(out, *name);
  put_varint(out, topics_.size());
  for (const auto& [subject, kept] : topics_) {
    put_bytes(out, subject);
    put_varint(out, kept.size());
    for (const Kept& entry : kept) {
      put_varint(out, entry.offset);
      put_varint(out, entry.conversation);
    }
  }
  put_varint(out, groups_.size());
  for (const auto& [name, group] : groups_) group.save(out);
  put_varint(out, ids_.size());
  for (const std::string& id : ids_) {
    put_bytes(out, id);
    put_varint(out, offset_of_id_.at(id));
  }
  return out;
}

Status State::restore(std::string_view bytes) {
  const Error damaged{Code::kCorrupt,
                      "the snapshot of the broker's state is not in the form of this version"};
  WireReader in(bytes);
  if (in.varint() != kSnapshotVersion) return damaged;
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) intern(std::string(in.bytes()));
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    std::deque<Kept>& kept = topics_[std::string(in.bytes())];
    for (std::uint64_t k = in.varint(); k > 0 && in.ok(); --k) {
      const std::uint64_t offset = in.varint();
      kept.push_back({offset, static_cast<std::uint32_t>(in.varint())});
    }
  }
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    GroupState group{GroupSpec{}};
    if (!group.restore(in)) return damaged;
    std::string name = group.spec().name;
    groups_.emplace(std::move(name), std::move(group));
  }
  for (std::uint64_t i = in.varint(); i > 0 && in.ok(); --i) {
    const std::string id(in.bytes());
    remember(id, in.varint());
  }
  if (!in.ok() || !in.at_end()) return damaged;
  return {};
}

}  // namespace qiao
