// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

std::string shown(const GroupOffset& end) {
  return "message " + std::to_string(end.second) + " in group " + end.first;
}

// What the log says of the ends of messages in groups.
struct Ends {
  std::set<GroupOffset> acked;
  std::set<GroupOffset> dead;
  std::vector<std::string> broken;

  void add(const Record& record) {
    if (const auto* ack = std::get_if<record::Acked>(&record)) {
      if (!acked.insert({ack->group, ack->offset}).second)
        broken.push_back(shown({ack->group, ack->offset}) + " is acked twice");
    }
    const auto* published = std::get_if<record::Published>(&record);
    if (published == nullptr) return;
    const auto& headers = published->message.headers;
    const auto group = headers.find("x-dead-group");
    const auto offset = headers.find("x-dead-offset");
    if (group == headers.end() || offset == headers.end()) return;
    const GroupOffset end{group->second, std::stoull(offset->second)};
    if (!published->message.subject.starts_with("dead")) return;  // a copy that went on
    if (!dead.insert(end).second) broken.push_back(shown(end) + " is a dead letter twice");
  }
};

class OneEndPerGroup final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "one_end_per_group"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    Ends ends;
    for (const auto& [offset, record] : journal.records) ends.add(record);
    std::vector<std::string> broken = ends.broken;
    for (const GroupOffset& dead : ends.dead) {
      if (journal.group_acked.contains(dead))
        broken.push_back(shown(dead) + " was acked and is a dead letter");
    }
    for (const auto& [acked, when] : journal.group_acked) {
      if (!ends.acked.contains(acked)) broken.push_back(shown(acked) + " has lost its ack");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> one_end_per_group() {
  return std::make_unique<OneEndPerGroup>();
}

}  // namespace qiao::sim
