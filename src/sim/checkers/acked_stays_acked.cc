// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"

namespace qiao::sim {
namespace {

class AckedStaysAcked final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "acked_stays_acked"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    for (std::size_t i = 0; i < journal.handed_out.size(); ++i) {
      const HandedOut& one = journal.handed_out[i];
      const auto acked = journal.group_acked.find({one.group, one.offset});
      if (acked != journal.group_acked.end() && acked->second <= i) {
        broken.push_back("group " + one.group + " handed out " + std::to_string(one.offset) +
                         " after its ack was confirmed");
      }
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> acked_stays_acked() {
  return std::make_unique<AckedStaysAcked>();
}

}  // namespace qiao::sim
