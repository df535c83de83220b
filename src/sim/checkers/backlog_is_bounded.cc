// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "broker/topic_specs.h"
#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

// How much is open in each group, from record to record.
class Backlog {
 public:
  explicit Backlog(const GroupLog& log) : log_(log) {}

  void add(std::uint64_t offset, const Record& record) {
    if (const auto* r = std::get_if<record::TopicSet>(&record)) {
      r->erased ? topics_.erase(r->spec.pattern) : topics_.set(r->spec);
    }
    if (const auto* r = std::get_if<record::Published>(&record)) published(offset, r->message);
    if (const auto* r = std::get_if<record::Joined>(&record))
      joined_[{r->group, r->offset}] += r->followers.size();
    if (const auto* r = std::get_if<record::Acked>(&record))
      open_[r->group] -= 1 + joined_[{r->group, r->offset}];
  }
  std::vector<std::string> broken;

 private:
  void published(std::uint64_t offset, const Message& message) {
    const TopicSpec* topic = topics_.find(message.subject);
    for (const auto& [name, group] : log_.groups()) {
      if (!log_.gets(group, offset, message)) continue;
      std::uint64_t most = group.spec.backlog_max == 0 ? UINT64_MAX : group.spec.backlog_max;
      if (topic != nullptr && topic->backlog_max != 0) most = std::min(most, topic->backlog_max);
      if (++open_[name] > most && offset > group.made_at)
        broken.push_back(shown(name, offset) + " is number " + std::to_string(open_[name]) +
                         " of those open, at most " + std::to_string(most) + " may be");
    }
  }

  const GroupLog& log_;
  broker::TopicSpecs topics_;
  std::map<std::string, std::uint64_t> open_;
  std::map<GroupOffset, std::uint64_t> joined_;
};

class BacklogIsBounded final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "backlog_is_bounded"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    const GroupLog log(journal);
    Backlog backlog(log);
    for (const auto& [offset, record] : journal.records) backlog.add(offset, record);
    return backlog.broken;
  }
};

}  // namespace

std::unique_ptr<Checker> backlog_is_bounded() {
  return std::make_unique<BacklogIsBounded>();
}

}  // namespace qiao::sim
