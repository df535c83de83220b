// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"

namespace qiao::sim {
namespace {

class EverythingFinishes final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "everything_finishes"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    return journal.unfinished;
  }
};

}  // namespace

std::unique_ptr<Checker> everything_finishes() {
  return std::make_unique<EverythingFinishes>();
}

}  // namespace qiao::sim
