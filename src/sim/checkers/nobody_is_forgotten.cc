// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

class NobodyIsForgotten final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "nobody_is_forgotten"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    if (!journal.unfinished.empty()) return broken;  // told already
    const GroupLog log(journal);
    for (const auto& [name, group] : log.groups()) {
      if (!journal.groups.contains(name)) continue;
      for (const auto& [offset, record] : journal.records) {
        const auto* published = std::get_if<record::Published>(&record);
        if (published == nullptr || log.removed().contains(offset)) continue;
        if (!log.gets(group, offset, published->message)) continue;
        if (!log.ended().contains({name, offset}))
          broken.push_back(shown(name, offset) + " is neither acked nor dead, and waits no more");
      }
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> nobody_is_forgotten() {
  return std::make_unique<NobodyIsForgotten>();
}

}  // namespace qiao::sim
