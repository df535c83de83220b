// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class SeenIsDurable final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "seen_is_durable"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<std::uint64_t, std::string> stored;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* published = std::get_if<record::Published>(&record))
        stored.emplace(offset, published->message.id);
    }
    std::vector<std::string> broken;
    const auto must_be = [&](std::uint64_t offset, const std::string& id, const std::string& who) {
      const auto found = stored.find(offset);
      if (found == stored.end() || found->second != id)
        broken.push_back(who + " saw " + id + " at " + std::to_string(offset) + ", the log has " +
                         (found == stored.end() ? "none" : found->second));
    };
    for (const HandedOut& one : journal.handed_out) must_be(one.offset, one.id, one.group);
    for (const auto& [name, reader] : journal.readers) {
      for (const Received& one : reader.received) must_be(one.offset, one.id, name);
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> seen_is_durable() {
  return std::make_unique<SeenIsDurable>();
}

}  // namespace qiao::sim
