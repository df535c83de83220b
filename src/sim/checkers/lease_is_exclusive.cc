// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <utility>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class LeaseIsExclusive final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "lease_is_exclusive"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    std::map<GroupOffset, const HandedOut*> last;
    for (const HandedOut& one : journal.handed_out) {
      const auto [entry, first] = last.emplace(GroupOffset{one.group, one.offset}, &one);
      const HandedOut& before = *std::exchange(entry->second, &one);
      if (first || before.ended || before.life != one.life || before.until_ms <= one.at_ms)
        continue;
      broken.push_back("group " + one.group + " handed out " + std::to_string(one.offset) +
                       " again " + std::to_string(before.until_ms - one.at_ms) +
                       " ms before its lease ended");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> lease_is_exclusive() {
  return std::make_unique<LeaseIsExclusive>();
}

}  // namespace qiao::sim
