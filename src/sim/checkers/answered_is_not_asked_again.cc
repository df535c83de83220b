// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/json.h"
#include "flow/turn/turn_receipts.h"
#include "sim/checker.h"
#include "sim/checkers/group_log.h"
#include "sim/sim_flow.h"

namespace qiao::sim {
namespace {

// None: it failed. A failure may be asked again, and what follows from it may be other questions.
std::optional<std::string> question_of(const record::Receipt& receipt) {
  const Result<Json> data = parse_json(receipt.data);
  if (!data || !data->is_object() || data->contains("error")) return std::nullopt;
  return json_string(*data, "asked");
}

class AnsweredIsNotAskedAgain final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "answered_is_not_asked_again"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    std::map<std::pair<std::uint64_t, std::string>, std::optional<std::string>>
        answered;  // the newest question
    std::set<std::uint64_t> decided;
    for (const auto& [offset, record] : journal.records) {
      const auto* receipt = std::get_if<record::Receipt>(&record);
      if (receipt == nullptr || receipt->group != kFlowGroup) continue;
      const auto question = question_of(*receipt);
      if (!question) continue;
      std::optional<std::string>& newest = answered[{receipt->offset, receipt->step}];
      if (std::exchange(newest, question) == question)
        broken.push_back("the step " + receipt->step + " of " +
                         shown(receipt->group, receipt->offset) + " was answered and asked again");
      if (receipt->step == flow::kDecisionStep && !decided.insert(receipt->offset).second)
        broken.push_back(shown(receipt->group, receipt->offset) + " was decided on twice");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> answered_is_not_asked_again() {
  return std::make_unique<AnsweredIsNotAskedAgain>();
}

}  // namespace qiao::sim
