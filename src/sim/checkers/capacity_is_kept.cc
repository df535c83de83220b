// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"
#include "sim/checkers/group_log.h"

namespace qiao::sim {
namespace {

// Its own estimate, as the documentation says it: four bytes of ASCII, or one other character.
std::uint64_t tokens_of(const Message& message) {
  std::uint64_t ascii = 0;
  std::uint64_t wide = 0;
  for (const Part& part : message.parts) {
    for (const char c : part.data) {
      const auto byte = static_cast<unsigned char>(c);
      ascii += byte < 0x80 ? 1 : 0;
      wide += byte >= 0xc0 ? 1 : 0;
    }
  }
  return (ascii + 3) / 4 + wide;
}

class CapacityIsKept final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "capacity_is_kept"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::vector<std::string> broken;
    const GroupLog log(journal);
    for (const HandedOut& one : journal.handed_out) {
      const Message* const message = log.message(one.offset);
      if (one.context_tokens == 0 || message == nullptr) continue;
      const std::uint64_t tokens = tokens_of(*message);
      if (tokens > one.context_tokens)
        broken.push_back(shown(one.group, one.offset) + " has " + std::to_string(tokens) +
                         " tokens, who got it can take " + std::to_string(one.context_tokens));
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> capacity_is_kept() {
  return std::make_unique<CapacityIsKept>();
}

}  // namespace qiao::sim
