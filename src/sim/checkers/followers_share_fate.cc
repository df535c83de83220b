// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

class FollowersShareFate final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "followers_share_fate"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    const GroupLog log(journal);
    for (const HandedOut& one : journal.handed_out) {
      const auto joined = log.followers().find({one.group, one.offset});
      if (!one.acked || joined == log.followers().end()) continue;
      for (const std::uint64_t follower : joined->second) {
        const auto& seen = one.followers;
        if (std::find(seen.begin(), seen.end(), follower) == seen.end())
          broken.push_back(shown(one.group, follower) + " was acked with " +
                           std::to_string(one.offset) + " by who never saw it");
      }
    }
    for (const auto& [message, from] : journal.group_acked) {
      const auto joined = log.followers().find(message);
      if (joined == log.followers().end()) continue;
      for (std::size_t i = from; i < journal.handed_out.size(); ++i) {
        if (has_any(journal.handed_out[i], message.first, joined->second))
          broken.push_back("what was acked with " + shown(message.first, message.second) +
                           " was handed out again with " +
                           std::to_string(journal.handed_out[i].offset));
      }
    }
    return broken;
  }

 private:
  static bool has_any(const HandedOut& one, const std::string& group,
                      const std::set<std::uint64_t>& followers) {
    if (one.group != group) return false;
    return followers.contains(one.offset) ||
           std::any_of(one.followers.begin(), one.followers.end(),
                       [&](std::uint64_t offset) { return followers.contains(offset); });
  }
};

}  // namespace

std::unique_ptr<Checker> followers_share_fate() {
  return std::make_unique<FollowersShareFate>();
}

}  // namespace qiao::sim
