// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class AckedIsStoredOnce final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "acked_is_stored_once"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<std::string, std::vector<std::uint64_t>> stored;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* published = std::get_if<record::Published>(&record))
        stored[published->message.id].push_back(offset);
    }
    std::vector<std::string> broken;
    for (const auto& [id, offsets] : stored) {
      if (offsets.size() > 1)
        broken.push_back(id + " is stored " + std::to_string(offsets.size()) + " times");
    }
    for (const auto& [id, offset] : journal.acked) {
      const auto found = stored.find(id);
      if (found == stored.end()) {
        broken.push_back(id + " was acked at " + std::to_string(offset) + " and is lost");
      } else if (found->second.front() != offset) {
        broken.push_back(id + " was acked at " + std::to_string(offset) + " and is at " +
                         std::to_string(found->second.front()));
      }
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> acked_is_stored_once() {
  return std::make_unique<AckedIsStoredOnce>();
}

}  // namespace qiao::sim
