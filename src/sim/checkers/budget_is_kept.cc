// SPDX-License-Identifier: Apache-2.0
#include <map>
#include "sim/sim_flow.h"

#include "sim/checker.h"

namespace qiao::sim {
namespace {

std::int64_t tokens_of(const record::Event& event) {
  if (event.type != "model.done" || !event.data.contains("usage")) return 0;
  const Json& usage = event.data["usage"];
  return json_integer(usage, "prompt_tokens").value_or(0) +
         json_integer(usage, "completion_tokens").value_or(0);
}

// Negative is no limit, and only what is caused by a flow's turn inherits.
bool more_than(const Budget& budget, const Budget& cause) {
  const bool hops = cause.hops >= 0 && budget.hops >= 0 && budget.hops >= cause.hops;
  const bool tokens = cause.tokens >= 0 && budget.tokens >= 0 && budget.tokens > cause.tokens;
  return hops || tokens;
}

class BudgetIsKept final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "budget_is_kept"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<std::string, Message> messages;
    std::map<std::string, std::int64_t> spent;  // by message of the flow
    std::vector<std::string> broken;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* event = std::get_if<record::Event>(&record))
        spent[event->message_id] += tokens_of(*event);
      const auto* published = std::get_if<record::Published>(&record);
      if (published == nullptr) continue;
      const Message& message = published->message;
      const auto cause = messages.find(message.cause);
      if (cause != messages.end() && more_than(message.budget, cause->second.budget))
        broken.push_back(message.id + " may spend more than " + message.cause + ", its cause");
      messages.emplace(message.id, message);
    }
    for (const auto& [id, tokens] : spent) {
      if (tokens > kFlowTokens)
        broken.push_back("the turn of " + id + " spent " + std::to_string(tokens) + " tokens");
    }
    return broken;
  }
};

}  // namespace

std::unique_ptr<Checker> budget_is_kept() {
  return std::make_unique<BudgetIsKept>();
}

}  // namespace qiao::sim
