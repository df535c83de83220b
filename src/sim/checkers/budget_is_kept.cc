// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <type_traits>

#include "sim/checker.h"
#include "sim/sim_flow.h"

namespace qiao::sim {
namespace {

std::int64_t tokens_of(const record::Event& event) {
  if (event.type != "model.done" || !event.data.contains("usage")) return 0;
  const Json& usage = event.data["usage"];
  return json_integer(usage, "prompt_tokens").value_or(0) +
         json_integer(usage, "completion_tokens").value_or(0);
}

constexpr std::ptrdiff_t kVisitsMax = 8;  // of one party in one chain

// What a message still has for what it causes. Negative: no limit.
struct Account {
  const Message* message = nullptr;
  Budget left;

  // What `child` gets is gone; whether it could.
  bool spend_on(const Message& child) {
    bool kept = take(left.tokens, child.budget.tokens, 0);
    kept = take(left.calls, child.budget.calls, 0) && kept;
    kept = take(left.cost_micro, child.budget.cost_micro, 0) && kept;
    kept = take(left.messages, child.budget.messages, 1) && kept;
    return kept && is_less_deep(child) && is_not_later(child);
  }

 private:
  template <class Number>
  static bool take(Number& from, Number given, std::type_identity_t<Number> besides) {
    if (from < 0) return true;
    if (given < 0 || given + besides > from) return false;
    from -= given + besides;
    return true;
  }
  [[nodiscard]] bool is_less_deep(const Message& child) const {
    const std::int32_t hops = message->budget.hops;
    return hops < 0 || (child.budget.hops >= 0 && child.budget.hops < hops);
  }
  // What ran out meanwhile lets one more tell of it, with nothing left.
  [[nodiscard]] bool is_not_later(const Message& child) const {
    const std::int64_t wall_ms = message->budget.wall_ms;
    if (wall_ms < 0 || child.budget.wall_ms == 0) return wall_ms != 0;
    return child.budget.wall_ms > 0 &&
           child.time_ms + child.budget.wall_ms <= message->time_ms + wall_ms;
  }
};

bool is_letter(const Message& message) {
  return message.headers.contains("x-dead-group");
}

// One name more than that of its cause, no name too often.
bool chain_is_kept(const Message& cause, const Message& child) {
  if (child.chain.size() != cause.chain.size() + 1 || child.chain.size() > kChainMax) return false;
  if (!std::equal(cause.chain.begin(), cause.chain.end(), child.chain.begin())) return false;
  return std::count(child.chain.begin(), child.chain.end(), child.chain.back()) <= kVisitsMax;
}

// What a message was refused for ends it, and its letter says so.
void check_spent(const Journal& journal, std::vector<std::string>& broken) {
  std::map<GroupOffset, const Message*> letters;
  for (const auto& [offset, record] : journal.records) {
    const auto* r = std::get_if<record::Published>(&record);
    if (r == nullptr || !is_letter(r->message)) continue;
    const auto& headers = r->message.headers;
    letters[{headers.at("x-dead-group"), std::stoull(headers.at("x-dead-offset"))}] = &r->message;
  }
  for (const GroupOffset& spent : journal.spent) {
    const std::string what = "message " + std::to_string(spent.second);
    if (journal.group_acked.contains(spent)) broken.push_back(what + " was spent and is acked");
    const auto letter = letters.find(spent);
    if (letter == letters.end()) continue;  // that it has an end is another promise
    const auto reason = letter->second->headers.find("x-dead-reason");
    if (reason == letter->second->headers.end() || reason->second.empty())
      broken.push_back(what + " was spent and its letter does not say why");
  }
}

class BudgetIsKept final : public Checker {
 public:
  [[nodiscard]] std::string_view name() const override { return "budget_is_kept"; }
  [[nodiscard]] std::vector<std::string> check(const Journal& journal) const override {
    std::map<std::string, Account> accounts;
    std::map<std::string, std::int64_t> spent;  // by message of the flow
    std::vector<std::string> broken;
    for (const auto& [offset, record] : journal.records) {
      if (const auto* event = std::get_if<record::Event>(&record))
        spent[event->message_id] += tokens_of(*event);
      const auto* published = std::get_if<record::Published>(&record);
      if (published == nullptr) continue;
      const Message& message = published->message;
      accounts.emplace(message.id, Account{&message, message.budget});
      const auto cause = accounts.find(message.cause);
      if (cause == accounts.end() || is_letter(message) || is_letter(*cause->second.message))
        continue;  // a letter causes nothing, and what is sent again begins anew
      if (!cause->second.spend_on(message))
        broken.push_back(message.id + " may spend more than " + message.cause + ", its cause");
      if (!chain_is_kept(*cause->second.message, message))
        broken.push_back(message.id + " hides its way from " + message.cause + ", its cause");
    }
    check_spent(journal, broken);
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
