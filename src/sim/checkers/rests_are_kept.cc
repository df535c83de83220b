// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <tuple>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

using Lease = std::tuple<std::string, std::uint64_t, std::uint64_t>;  // group, message, name

// Until when what rests: by delay at first, then by its last failure or park.
class Rests {
 public:
  void add(std::uint64_t offset, const Record& record) {
    if (const auto* r = std::get_if<record::Published>(&record)) {
      if (r->message.deliver_at_ms > r->message.time_ms) delays_[offset] = r->message.deliver_at_ms;
    }
    if (const auto* r = std::get_if<record::Nacked>(&record)) {
      until_[{r->group, r->offset}] = r->retry_at_ms;
    }
    if (const auto* r = std::get_if<record::Expired>(&record)) {
      until_[{r->group, r->offset}] = r->retry_at_ms;
    }
    if (const auto* r = std::get_if<record::Parked>(&record)) {
      until_[{r->group, r->offset}] = r->until_ms;
    }
    if (const auto* r = std::get_if<record::Woken>(&record)) {
      until_[{r->group, r->offset}] = 0;
    }
  }
  [[nodiscard]] std::int64_t until(const GroupOffset& message) const {
    const auto rest = until_.find(message);
    if (rest != until_.end()) return rest->second;
    const auto delay = delays_.find(message.second);
    return delay == delays_.end() ? 0 : delay->second;
  }

 private:
  std::map<std::uint64_t, std::int64_t> delays_;
  std::map<GroupOffset, std::int64_t> until_;
};

class RestsAreKept final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "rests_are_kept"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<Lease, const HandedOut*> handed_out;
    for (const HandedOut& one : journal.handed_out)
      handed_out.emplace(Lease{one.group, one.offset, one.lease}, &one);
    std::vector<std::string> broken;
    Rests rests;
    for (const auto& [offset, record] : journal.records) {
      rests.add(offset, record);
      const auto* leased = std::get_if<record::Leased>(&record);
      if (leased == nullptr) continue;
      const auto entry = handed_out.find(Lease{leased->group, leased->offset, leased->lease});
      if (entry == handed_out.end()) continue;
      const std::int64_t early_ms =
          rests.until({leased->group, leased->offset}) - entry->second->latest_ms;
      if (early_ms > 0)
        broken.push_back(shown(leased->group, leased->offset) + " was handed out " +
                         std::to_string(early_ms) + " ms before its rest was over");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> rests_are_kept() {
  return std::make_unique<RestsAreKept>();
}

}  // namespace qiao::sim
