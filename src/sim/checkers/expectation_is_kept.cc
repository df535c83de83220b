// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

std::string shown(std::optional<std::uint64_t> offset) {
  return offset ? std::to_string(*offset) : "none";
}

// The messages of each conversation in each topic, as kept at one place of the log.
class Conversations {
 public:
  explicit Conversations(const Journal& journal) : journal_(journal) {}

  void add(std::uint64_t offset, const Record& record) {
    if (const auto* r = std::get_if<record::Published>(&record)) published(offset, r->message);
    if (const auto* r = std::get_if<record::Removed>(&record)) {
      for (auto& [lane, kept] : kept_) {
        for (const std::uint64_t gone : r->offsets) kept.erase(gone);
      }
    }
  }
  std::vector<std::string> broken;

 private:
  // What was seen and is kept no longer is still the last, unless a newer one is kept.
  void published(std::uint64_t offset, const Message& message) {
    std::set<std::uint64_t>& kept = kept_[{message.subject, message.conversation}];
    const auto expected = journal_.expectations.find(message.id);
    if (expected != journal_.expectations.end() && !kept.empty() &&
        (!expected->second || *kept.rbegin() > *expected->second))
      broken.push_back(message.id + " is stored behind " + std::to_string(*kept.rbegin()) +
                       ", its sender had seen " + shown(expected->second));
    kept.insert(offset);
  }

  const Journal& journal_;
  std::map<std::pair<std::string, std::string>, std::set<std::uint64_t>> kept_;
};

class ExpectationIsKept final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "expectation_is_kept"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    Conversations conversations(journal);
    std::map<std::uint64_t, std::string> stored;
    for (const auto& [offset, record] : journal.records) {
      conversations.add(offset, record);
      if (const auto* r = std::get_if<record::Published>(&record)) stored[offset] = r->message.id;
    }
    std::vector<std::string> broken = conversations.broken;
    std::map<std::string, std::uint64_t> told;
    for (const ExpectedTold& one : journal.expected) {
      const auto before = told.find(one.id);
      if (before != told.end() && one.stored_at != before->second)
        broken.push_back(one.id + " was stored at " + std::to_string(before->second) +
                         ", again it was answered " + shown(one.stored_at));
      if (one.stored_at) told.emplace(one.id, *one.stored_at);
      if (one.last && !stored.contains(*one.last))
        broken.push_back(one.id + " was refused for " + shown(one.last) + ", which is lost");
    }
    for (const auto& [id, offset] : told) {
      if (stored[offset] != id) broken.push_back(id + " was stored and is lost");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> expectation_is_kept() {
  return std::make_unique<ExpectationIsKept>();
}

}  // namespace qiao::sim
