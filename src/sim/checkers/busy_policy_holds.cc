// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

// The lanes of one ordered group, from its records alone.
class Lanes {
 public:
  Lanes(const Journal& journal, const GroupLog& log, const GroupLog::Group& group)
      : journal_(journal), log_(log), group_(group), name_(group.spec.name) {}

  void add(std::uint64_t offset, const Record& record) {
    if (const auto* r = std::get_if<record::Published>(&record)) {
      if (offset > group_.made_at) published(offset, r->message);
    }
    if (const auto* r = std::get_if<record::GroupCreated>(&record)) {
      if (r->spec.name == name_) begin();
    }
    if (const auto* r = std::get_if<record::Leased>(&record)) {
      if (r->group == name_) leased(*r);
    }
    if (const auto* r = std::get_if<record::Joined>(&record)) {
      if (r->group == name_) joined(*r);
    }
    if (const auto* r = std::get_if<record::Acked>(&record)) {
      if (r->group == name_) acked(*r);
    }
    if (const auto* r = std::get_if<record::Nacked>(&record)) rests(r->group, r->offset);
    if (const auto* r = std::get_if<record::Expired>(&record)) rests(r->group, r->offset);
    if (const auto* r = std::get_if<record::Parked>(&record)) rests(r->group, r->offset);
    if (const auto* r = std::get_if<record::Removed>(&record)) removed(*r);
    if (const auto* r = std::get_if<record::Event>(&record)) {
      if (r->type == "superseded") superseded(*r);
    }
  }
  std::vector<std::string> broken;

 private:
  using Lane = std::set<std::uint64_t>;  // open, followers left out

  void fault(std::uint64_t offset, const std::string& what) {
    broken.push_back(shown(name_, offset) + " " + what);
  }
  Lane& lane_of(std::uint64_t offset) {
    const Message* const message = log_.message(offset);
    return lanes_[message == nullptr ? "" : message->conversation];
  }
  void begin() {
    for (std::uint64_t offset = 0; offset < group_.made_at; ++offset) {
      const Message* const message = log_.message(offset);
      if (message != nullptr) open(offset, *message);
    }
  }
  bool open(std::uint64_t offset, const Message& message) {
    if (message.conversation.empty() || !log_.gets(group_, offset, message)) return false;
    lanes_[message.conversation].insert(offset);
    return true;
  }
  void published(std::uint64_t offset, const Message& message) {
    if (!open(offset, message)) return;
    if (group_.spec.busy == Busy::kReject && lanes_[message.conversation].size() > 1)
      fault(offset, "was taken while its conversation was at work");
  }
  void leased(const record::Leased& r) {
    last_leased_[r.offset] = true;
    at_work_.insert(r.offset);
    const Lane& lane = lane_of(r.offset);
    if (lane.contains(r.offset) && *lane.begin() != r.offset)
      fault(r.offset, "was leased before " + std::to_string(*lane.begin()));
  }
  void joined(const record::Joined& r) {
    const GroupSpec& spec = group_.spec;
    if (spec.busy != Busy::kMerge && spec.busy != Busy::kSteer)
      fault(r.offset, "was joined in a group that neither merges nor steers");
    Lane& lane = lane_of(r.offset);
    std::set<std::uint64_t>& mine = followers_[r.offset];
    for (const std::uint64_t follower : r.followers) {
      if (lane.erase(follower) == 0) fault(follower, "joined and is not of that lane, or not open");
      mine.insert(follower);
    }
    if (mine.size() > spec.followers_max) fault(r.offset, "has too many followers");
  }
  void rests(const std::string& group, std::uint64_t offset) {
    if (group == name_) at_work_.erase(offset);
  }
  // What is leased is finished.
  void removed(const record::Removed& r) {
    for (const std::uint64_t offset : r.offsets) {
      if (!at_work_.contains(offset)) lane_of(offset).erase(offset);
    }
  }
  void acked(const record::Acked& r) {
    lane_of(r.offset).erase(r.offset);
    last_acked_ = r.offset;
  }
  // In the batch that brings the newer message and ends the lease.
  void superseded(const record::Event& r) {
    if (json_string(r.data, "group").value_or("") != name_) return;
    const auto offset = static_cast<std::uint64_t>(json_integer(r.data, "offset").value_or(-1));
    const std::string by = json_string(r.data, "by").value_or("");
    if (group_.spec.busy != Busy::kInterrupt || last_acked_ != offset)
      fault(offset, "is told as superseded and was not");
    if (!last_leased_[offset]) fault(offset, "was superseded and nobody had it");
    if (journal_.group_acked.contains({name_, offset}))
      fault(offset, "was acked and is told as superseded");
    const Lane& lane = lane_of(offset);
    const bool newer = std::any_of(lane.begin(), lane.end(), [&](std::uint64_t other) {
      return other > offset && log_.message(other)->id == by;
    });
    if (!newer) fault(offset, "was superseded by none of its conversation");
  }

  const Journal& journal_;
  const GroupLog& log_;
  const GroupLog::Group& group_;
  const std::string name_;
  std::map<std::string, Lane> lanes_;
  std::map<std::uint64_t, std::set<std::uint64_t>> followers_;
  std::map<std::uint64_t, bool> last_leased_;
  std::set<std::uint64_t> at_work_;
  std::uint64_t last_acked_ = 0;
};

class BusyPolicyHolds final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "busy_policy_holds"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    const GroupLog log(journal);
    for (const auto& [name, group] : log.groups()) {
      if (!group.spec.ordered) continue;
      Lanes lanes(journal, log, group);
      for (const auto& [offset, record] : journal.records) lanes.add(offset, record);
      broken.insert(broken.end(), lanes.broken.begin(), lanes.broken.end());
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> busy_policy_holds() {
  return std::make_unique<BusyPolicyHolds>();
}

}  // namespace qiao::sim
