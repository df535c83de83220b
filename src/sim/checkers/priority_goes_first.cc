// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <map>
#include <set>
#include <tuple>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

using Rank = std::tuple<int, std::int64_t, std::uint64_t>;  // the smaller comes first

// A group does not know the deadlines of those it begins with (docs/internals/delivery.md).
Rank rank_of(std::uint64_t offset, const Message& message, std::uint64_t made_at) {
  const bool known = message.deadline_ms != 0 && offset > made_at;
  const std::int64_t deadline = known ? message.deadline_ms : INT64_MAX;
  return {-int{message.priority}, deadline, offset};
}

// Of a group without lanes: what is ready for certain, by age. What rests until a time is left out,
// as the log does not tell when the broker saw the time.
class Ready {
 public:
  Ready(const GroupLog& log, const GroupLog::Group& group) : log_(log), group_(group) {}

  void add(std::uint64_t offset, const Record& record) {
    const std::string& name = group_.spec.name;
    if (const auto* r = std::get_if<record::Published>(&record)) {
      if (offset > group_.made_at) published(offset, r->message);
    }
    if (const auto* r = std::get_if<record::GroupCreated>(&record)) {
      if (r->spec.name == name) begin();
    }
    if (const auto* r = std::get_if<record::Leased>(&record)) {
      if (r->group == name) leased(*r);
    }
    if (const auto* r = std::get_if<record::Nacked>(&record)) {
      if (r->group == name && r->retry_at_ms == 0) ready_.insert(r->offset);
    }
    if (const auto* r = std::get_if<record::Expired>(&record)) {
      if (r->group == name && r->retry_at_ms == 0) ready_.insert(r->offset);
    }
    if (const auto* r = std::get_if<record::Acked>(&record)) {
      if (r->group == name) ready_.erase(r->offset);
    }
    if (const auto* r = std::get_if<record::Removed>(&record)) {
      for (const std::uint64_t gone : r->offsets) ready_.erase(gone);
    }
  }
  std::vector<std::string> broken;

 private:
  void begin() {
    for (std::uint64_t offset = 0; offset < group_.made_at; ++offset) {
      if (const Message* message = log_.message(offset)) published(offset, *message);
    }
  }
  void published(std::uint64_t offset, const Message& message) {
    if (log_.gets(group_, offset, message) && message.deliver_at_ms == 0) ready_.insert(offset);
  }
  // An older one that is ready is durable, too: it had to go first if it ranks higher.
  void leased(const record::Leased& r) {
    const Message* const message = log_.message(r.offset);
    for (const std::uint64_t older : ready_) {
      if (older >= r.offset || message == nullptr) break;
      if (rank_of(older, *log_.message(older), group_.made_at) >
          rank_of(r.offset, *message, group_.made_at))
        continue;
      broken.push_back(shown(r.group, r.offset) + " was handed out before " +
                       std::to_string(older) + ", which is older and as urgent");
      break;
    }
    ready_.erase(r.offset);
  }

  const GroupLog& log_;
  const GroupLog::Group& group_;
  std::set<std::uint64_t> ready_;
};

class PriorityGoesFirst final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "priority_goes_first"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    const GroupLog log(journal);
    for (const auto& [name, group] : log.groups()) {
      if (group.spec.ordered) continue;
      Ready ready(log, group);
      for (const auto& [offset, record] : journal.records) ready.add(offset, record);
      broken.insert(broken.end(), ready.broken.begin(), ready.broken.end());
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> priority_goes_first() {
  return std::make_unique<PriorityGoesFirst>();
}

}  // namespace qiao::sim
