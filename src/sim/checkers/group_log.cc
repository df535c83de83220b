// SPDX-License-Identifier: Apache-2.0
#include "sim/checkers/group_log.h"

#include "message/subject.h"

namespace qiao::sim {

GroupLog::GroupLog(const Journal& journal) {
  for (const auto& [offset, record] : journal.records) {
    if (const auto* published = std::get_if<record::Published>(&record)) {
      messages_.emplace(offset, &published->message);
    } else if (const auto* made = std::get_if<record::GroupCreated>(&record)) {
      groups_.emplace(made->spec.name, Group{made->spec, offset});
    } else if (const auto* joined = std::get_if<record::Joined>(&record)) {
      followers_[{joined->group, joined->offset}].insert(joined->followers.begin(),
                                                         joined->followers.end());
    } else if (const auto* acked = std::get_if<record::Acked>(&record)) {
      ended_.insert({acked->group, acked->offset});
      const auto followers = followers_.find({acked->group, acked->offset});
      if (followers == followers_.end()) continue;
      for (const std::uint64_t follower : followers->second)
        ended_.insert({acked->group, follower});
    } else if (const auto* removed = std::get_if<record::Removed>(&record)) {
      removed_.insert(removed->offsets.begin(), removed->offsets.end());
      for (const std::uint64_t gone : removed->offsets) removed_at_.emplace(gone, offset);
    }
  }
}

const GroupSpec* GroupLog::spec(const std::string& group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second.spec;
}

const Message* GroupLog::message(std::uint64_t offset) const {
  const auto found = messages_.find(offset);
  return found == messages_.end() ? nullptr : found->second;
}

bool GroupLog::gets(const Group& group, std::uint64_t offset, const Message& message) const {
  if (!matches(group.spec.pattern, message.subject)) return false;
  const auto gone = removed_at_.find(offset);
  if (gone != removed_at_.end() && gone->second < group.made_at) return false;
  return group.spec.start.at == GroupStart::At::kOldest || offset > group.made_at;
}

std::string shown(const std::string& group, std::uint64_t offset) {
  return "message " + std::to_string(offset) + " in group " + group;
}

}  // namespace qiao::sim
