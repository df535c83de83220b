// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/journal.h"

namespace qiao::sim {

// What the log of a run says of its groups, for checkers that go through the records. Refers to
// the journal, which outlives it.
class GroupLog {
 public:
  explicit GroupLog(const Journal& journal);

  struct Group {
    GroupSpec spec;
    std::uint64_t made_at = 0;
  };
  [[nodiscard]] const std::map<std::string, Group>& groups() const { return groups_; }
  [[nodiscard]] const GroupSpec* spec(const std::string& group) const;
  [[nodiscard]] const Message* message(std::uint64_t offset) const;
  // Whether the group gets the message at all: it begins with what is kept then.
  [[nodiscard]] bool gets(const Group& group, std::uint64_t offset, const Message& message) const;
  // Who had joined the lease of a message when it ended for good; by message.
  [[nodiscard]] const std::map<GroupOffset, std::set<std::uint64_t>>& followers() const {
    return followers_;
  }
  // Acked, superseded or given up, themselves or with the message they followed.
  [[nodiscard]] const std::set<GroupOffset>& ended() const { return ended_; }
  [[nodiscard]] const std::set<std::uint64_t>& removed() const { return removed_; }

 private:
  std::map<std::string, Group> groups_;
  std::map<std::uint64_t, const Message*> messages_;
  std::map<GroupOffset, std::set<std::uint64_t>> followers_;
  std::set<GroupOffset> ended_;
  std::set<std::uint64_t> removed_;
  std::map<std::uint64_t, std::uint64_t> removed_at_;  // by message: the record
};

// "message 7 in group work"
std::string shown(const std::string& group, std::uint64_t offset);

}  // namespace qiao::sim
