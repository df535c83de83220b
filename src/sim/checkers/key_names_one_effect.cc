// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "sim/checker.h"

namespace qiao::sim {
namespace {

class KeyNamesOneEffect final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "key_names_one_effect"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    std::map<std::string, std::string> effects;
    for (const ToolCalled& call : journal.tool_calls) {
      if (call.key.empty()) broken.push_back("a call without a key: " + call.payload);
      const auto [effect, first] = effects.emplace(call.key, call.payload);
      if (!first && effect->second != call.payload)
        broken.push_back("key " + call.key + " names '" + effect->second + "' and '" +
                         call.payload + "'");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> key_names_one_effect() {
  return std::make_unique<KeyNamesOneEffect>();
}

}  // namespace qiao::sim
