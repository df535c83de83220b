// SPDX-License-Identifier: Apache-2.0
// What a message may still cause: limits pass from cause to child, and circles end.
#include <algorithm>
#include <map>

#include "broker/broker_impl.h"

namespace qiao {
namespace {

constexpr std::ptrdiff_t kVisitsMax = 8;  // of one party in one chain

Error spent(const Message& cause, const std::string& what) {
  return {Code::kPrecondition, "message " + cause.id + " may cause no more: " + what};
}

// Who made the child of `cause`: by its name, or by the topic it works on.
std::string party_of(const Message& cause, const Message& child) {
  std::string name = child.source.empty() ? "topic/" + cause.subject : child.source;
  if (name.size() > kIdBytesMax) name = "topic/" + std::to_string(broker::stable_hash(name));
  return name;
}

std::string names(const std::vector<std::string>& chain) {
  std::string out;
  for (const std::string& name : chain) out += (out.empty() ? "" : " → ") + name;
  return out;
}

Status extend_chain(const Message& cause, Message& child) {
  const std::string party = party_of(cause, child);
  child.chain = cause.chain;
  if (std::count(child.chain.begin(), child.chain.end(), party) >= kVisitsMax) {
    const std::size_t shown = std::min<std::size_t>(child.chain.size(), 6);
    child.chain.erase(child.chain.begin(), child.chain.end() - static_cast<std::ptrdiff_t>(shown));
    return spent(cause,
                 "a circle: it has passed " + party + " 8 times, of late " + names(child.chain));
  }
  if (child.chain.size() >= kChainMax)
    return spent(cause, "its chain of causes has 64 names, which is the most");
  child.chain.push_back(party);
  return {};
}

// An equal share of what is left, or less if less is asked for.
template <class Number>
void share(Number& left, Number& asked, std::size_t among) {
  if (left < 0) return;
  const Number most = left / static_cast<Number>(among);
  asked = asked < 0 ? most : std::min(asked, most);
  left -= asked;
}

// Time goes by for all alike. What was over when the cause was accepted lets nothing follow; what
// ran out since then lets one more message tell of it.
Status inherit_depth_and_time(const Message& cause, Message& child) {
  if (cause.budget.hops >= 0) {
    if (cause.budget.hops == 0) return spent(cause, "hops are spent");
    const std::int32_t rest = cause.budget.hops - 1;
    child.budget.hops = child.budget.hops < 0 ? rest : std::min(child.budget.hops, rest);
  }
  if (cause.budget.wall_ms >= 0) {
    if (cause.budget.wall_ms == 0) return spent(cause, "its time is over");
    const std::int64_t rest =
        std::max<std::int64_t>(0, cause.time_ms + cause.budget.wall_ms - child.time_ms);
    child.budget.wall_ms = child.budget.wall_ms < 0 ? rest : std::min(child.budget.wall_ms, rest);
  }
  return {};
}

Status inherit_from(const Message& cause, Budget left, const std::vector<Message*>& children) {
  if (left.messages >= 0) {
    if (static_cast<std::size_t>(left.messages) < children.size())
      return spent(cause, "messages are spent: " + std::to_string(left.messages) +
                              " are left, the batch has " + std::to_string(children.size()));
    left.messages -= static_cast<std::int32_t>(children.size());
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    Message& child = *children[i];
    const std::size_t among = children.size() - i;
    QIAO_TRY(extend_chain(cause, child));
    QIAO_TRY(inherit_depth_and_time(cause, child));
    share(left.tokens, child.budget.tokens, among);
    share(left.calls, child.budget.calls, among);
    share(left.cost_micro, child.budget.cost_micro, among);
    share(left.messages, child.budget.messages, among);
  }
  return {};
}

}  // namespace

// `batch`: what is new of it, in its order. A cause that the window of ids no longer knows limits
// nothing: the message's own limits hold.
Status Broker::Impl::inherit(const std::vector<Message*>& batch) {
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < batch.size(); ++i) places.emplace(batch[i]->id, i);
  std::vector<std::string_view> causes;  // in the order of their first child
  std::map<std::string_view, std::vector<Message*>> children;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const std::string& cause = batch[i]->cause;
    if (cause.empty()) continue;
    if (const auto place = places.find(cause); place != places.end() && place->second >= i)
      return invalid_argument("message " + batch[i]->id + " stands before its cause in the batch");
    auto& others = children[cause];
    if (others.empty()) causes.push_back(cause);
    others.push_back(batch[i]);
  }
  for (const std::string_view id : causes) {
    if (const auto place = places.find(id); place != places.end()) {
      const Message& cause = *batch[place->second];
      QIAO_TRY(inherit_from(cause, cause.budget, children[id]));
      continue;
    }
    const auto offset = published_before(std::string(id));
    if (!offset) continue;
    const Result<MessagePtr> cause = body(*offset);
    if (!cause) continue;  // it has left the log
    const Budget left = state_.budgets().left(*offset, (*cause)->budget);
    QIAO_TRY(inherit_from(**cause, left, children[id]));
  }
  return {};
}

}  // namespace qiao
