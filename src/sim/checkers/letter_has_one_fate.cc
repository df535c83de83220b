// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

std::string letter(std::uint64_t offset) {
  return "the letter at " + std::to_string(offset);
}

class LetterHasOneFate final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "letter_has_one_fate"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    const GroupLog log(journal);
    std::map<std::string, std::set<std::string>> caused;  // by the id of the cause
    for (const auto& [offset, record] : journal.records) {
      const auto* published = std::get_if<record::Published>(&record);
      if (published != nullptr && !published->message.headers.contains("x-dead-group"))
        caused[published->message.cause].insert(published->message.id);
    }
    for (const std::uint64_t offset : log.removed()) {
      const Message* const message = log.message(offset);
      const bool is_letter = message != nullptr && message->headers.contains("x-dead-group");
      if (is_letter && caused[message->id].size() > 1)
        broken.push_back(letter(offset) + " was sent again more than once");
    }
    std::set<std::uint64_t> told;
    for (const LetterEnded& one : journal.letters) {
      const Message* const message = log.message(one.offset);
      if (!told.insert(one.offset).second) broken.push_back(letter(one.offset) + " ended twice");
      if (!log.removed().contains(one.offset))
        broken.push_back(letter(one.offset) + " ended and is still there");
      const std::size_t again = message == nullptr ? 0 : caused[message->id].count(one.sent_as);
      if (!one.sent_as.empty() && again == 0)
        broken.push_back(letter(one.offset) + " was sent again and what was sent is lost");
      if (one.sent_as.empty() && message != nullptr && !caused[message->id].empty())
        broken.push_back(letter(one.offset) + " was dropped and sent again");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> letter_has_one_fate() {
  return std::make_unique<LetterHasOneFate>();
}

}  // namespace qiao::sim
