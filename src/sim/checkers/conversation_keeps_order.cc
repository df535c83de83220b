// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class ConversationKeepsOrder final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "conversation_keeps_order"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<std::string, std::uint64_t> stored;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* published = std::get_if<record::Published>(&record))
        stored.emplace(published->message.id, offset);
    }
    std::vector<std::string> broken;
    for (const auto& [conversation, ids] : journal.sent) {
      std::uint64_t last = 0;
      for (const std::string& id : ids) {
        const auto found = stored.find(id);
        if (found == stored.end()) continue;  // the last one may be on its way
        if (found->second < last)
          broken.push_back(id + " stands before an earlier message of " + conversation);
        last = found->second;
      }
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> conversation_keeps_order() {
  return std::make_unique<ConversationKeepsOrder>();
}

}  // namespace qiao::sim
