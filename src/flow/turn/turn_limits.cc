// SPDX-License-Identifier: Apache-2.0
// What a turn may use up, and what happens when it is spent.
#include <algorithm>

#include "base/i18n.h"
#include "base/logging.h"
#include "flow/turn/turn.h"
#include "text/language.h"

namespace qiao::flow {
namespace {

template <class Number>
Number least(Number ours, Number theirs) {
  if (ours < 0 || theirs < 0) return std::max(ours, theirs);
  return std::min(ours, theirs);
}

Text text_of(std::string_view limit) {
  if (limit == "hops") return Text::kFlowSpentHops;
  if (limit == "messages") return Text::kFlowSpentMessages;
  if (limit == "calls") return Text::kFlowSpentCalls;
  if (limit == "cost") return Text::kFlowSpentCost;
  if (limit == "wall") return Text::kFlowSpentTime;
  return Text::kFlowSpentTokens;
}

}  // namespace

// The flow's own limits and the message's: the less of both.
Budget Turn::limits_of(const Budget& ours, const Budget& theirs) {
  Budget limits;
  limits.hops = least(ours.hops, theirs.hops);
  limits.tokens = least(ours.tokens, theirs.tokens);
  limits.calls = least(ours.calls, theirs.calls);
  limits.cost_micro = least(ours.cost_micro, theirs.cost_micro);
  limits.messages = least(ours.messages, theirs.messages);
  return limits;
}

// What this turn leaves to what it causes. The broker shares it among the messages of the commit.
void Turn::spend_from(Budget& budget) const {
  budget = left_;
  budget.hops = left_.hops < 0 ? -1 : left_.hops - 1;
  if (left_.tokens >= 0) budget.tokens = std::max<std::int64_t>(left_.tokens, 0);
}

std::string Turn::spent_text(std::string_view limit) const {
  return tr(language_, Text::kFlowBudgetSpent, {tr(language_, text_of(limit))});
}

// Nothing more may follow from the message, not even an answer: whoever reads its stream is told,
// and the message becomes a dead letter that says why.
void Turn::give_up(std::string_view limit, const std::string& reason) {
  if (phase_ == Phase::kOver) return;
  if (decision_.route.empty()) language_ = detect_language(text_).value_or(next_->language);
  log_warn("flow", parts_.config.name + ": message " + message_id() + " is given up: " + reason);
  note("budget", Json{{"spent", limit}, {"reason", reason}});
  Commit noted;  // what is true of a turn that is not
  for (record::Event& event : commit_.events) {
    if (event.type == "turn" || event.type == "decision" || event.type == "budget")
      noted.events.push_back(std::move(event));
  }
  parts_.broker.commit(std::move(noted), [](const Result<std::vector<Published>>&) {});
  stream_.reset("spent");
  stream_.text(spent_text(limit));
  stream_.end(Json{{"message_id", ""}, {"finish", "spent"}, {"spent", limit}, {"error", reason}});
  parts_.broker.nack({delivery_.group, delivery_.offset, delivery_.attempt},
                     Failure{0, true, reason, std::string(kSpentError)}, [](const Status&) {});
  over();
}

}  // namespace qiao::flow
