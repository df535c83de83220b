// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class LaneGoesForward final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "lane_goes_forward"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    std::map<std::pair<std::string, std::string>, std::uint64_t> furthest;
    for (const HandedOut& one : journal.handed_out) {
      if (one.conversation.empty() || !journal.ordered_groups.contains(one.group)) continue;
      std::uint64_t& last = furthest[{one.group, one.conversation}];
      if (one.offset < last) {
        broken.push_back("group " + one.group + " handed out " + std::to_string(one.offset) +
                         " of " + one.conversation + " after " + std::to_string(last));
      }
      last = std::max(last, one.offset);
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> lane_goes_forward() {
  return std::make_unique<LaneGoesForward>();
}

}  // namespace qiao::sim
