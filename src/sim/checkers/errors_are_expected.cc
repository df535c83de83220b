// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"

namespace qiao::sim {
namespace {

class ErrorsAreExpected final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "errors_are_expected"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    return journal.strange;
  }
};

}  // namespace

std::unique_ptr<Checker> errors_are_expected() {
  return std::make_unique<ErrorsAreExpected>();
}

}  // namespace qiao::sim
