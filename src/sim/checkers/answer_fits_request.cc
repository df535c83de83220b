// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"

namespace qiao::sim {
namespace {

class AnswerFitsRequest final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "answer_fits_request"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    for (const Answered& one : journal.answered) {
      const auto question = journal.questions.find(one.question);
      const bool fits = one.correlation == one.question && question != journal.questions.end() &&
                        one.text == "result of " + question->second;
      if (!fits) broken.push_back(one.question + " got the answer to '" + one.correlation + "'");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> answer_fits_request() {
  return std::make_unique<AnswerFitsRequest>();
}

}  // namespace qiao::sim
