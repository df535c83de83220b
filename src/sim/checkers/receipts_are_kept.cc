// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>
#include <tuple>

#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

using Receipts = std::vector<StepReceipt>;

// Goes through the log and keeps by itself what each message has.
class Kept {
 public:
  explicit Kept(const Journal& journal) {
    for (const HandedOut& one : journal.handed_out)
      handed_out_.emplace(std::tuple{one.group, one.offset, one.lease}, &one.receipts);
  }

  void add(const Record& record) {
    if (const auto* r = std::get_if<record::Receipt>(&record)) stored(*r);
    if (const auto* r = std::get_if<record::Leased>(&record)) leased(*r);
    if (const auto* r = std::get_if<record::Acked>(&record)) {
      ended_.insert({r->group, r->offset});
      receipts_.erase({r->group, r->offset});
    }
  }
  // Whether the log has it at all, over or not.
  [[nodiscard]] bool knows(const GroupOffset& message, const StepReceipt& receipt) const {
    return all_.contains({message, receipt.step + "=" + receipt.data});
  }
  std::vector<std::string> broken;

 private:
  void stored(const record::Receipt& r) {
    const GroupOffset message{r.group, r.offset};
    if (ended_.contains(message))
      broken.push_back(shown(r.group, r.offset) + " has a receipt of " + r.step + " past its end");
    Receipts& receipts = receipts_[message];
    std::erase_if(receipts, [&](const StepReceipt& one) { return one.step == r.step; });
    receipts.push_back({r.step, r.data});
    all_.insert({message, r.step + "=" + r.data});
  }
  void leased(const record::Leased& r) {
    const auto given = handed_out_.find({r.group, r.offset, r.lease});
    if (given == handed_out_.end()) return;
    const auto found = receipts_.find({r.group, r.offset});
    const Receipts& expected = found == receipts_.end() ? none_ : found->second;
    if (*given->second != expected)
      broken.push_back(shown(r.group, r.offset) + " was handed out with " +
                       std::to_string(given->second->size()) + " receipts, it has " +
                       std::to_string(expected.size()) + ", or with others");
  }

  const Receipts none_;
  std::map<std::tuple<std::string, std::uint64_t, std::uint64_t>, const Receipts*> handed_out_;
  std::map<GroupOffset, Receipts> receipts_;
  std::set<std::pair<GroupOffset, std::string>> all_;
  std::set<GroupOffset> ended_;
};

class ReceiptsAreKept final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "receipts_are_kept"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    Kept kept(journal);
    for (const auto& [offset, record] : journal.records) kept.add(record);
    std::vector<std::string> broken = kept.broken;
    for (const StepStored& one : journal.stored) {
      if (!kept.knows(one.message, one.receipt))
        broken.push_back(one.receipt.step + " of " + shown(one.message.first, one.message.second) +
                         " has lost its receipt");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> receipts_are_kept() {
  return std::make_unique<ReceiptsAreKept>();
}

}  // namespace qiao::sim
