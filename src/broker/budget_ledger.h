// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "message/message.h"
#include "message/wire.h"

namespace qiao::broker {

// What messages have left for further children: of tokens, calls, cost and messages. Depth and
// time are no accounts: they do not grow less by being given away.
//
// The newest kAccountsMax messages that have such a limit; of older ones their whole budget counts
// as left. Part of State; its thread rule holds.
class BudgetLedger {
 public:
  static constexpr std::size_t kAccountsMax = 1 << 16;

  static bool is_limited(const Budget& budget) {
    return budget.tokens >= 0 || budget.calls >= 0 || budget.cost_micro >= 0 ||
           budget.messages >= 0;
  }

  // Requires: `offset` is above all added before.
  void add(std::uint64_t offset, const Budget& budget) {
    if (!is_limited(budget)) return;
    accounts_.emplace_hint(accounts_.end(), offset, budget);
    if (accounts_.size() > kAccountsMax) accounts_.erase(accounts_.begin());
  }

  // A child was stored with this budget.
  void charge(std::uint64_t cause, const Budget& child) {
    const auto found = accounts_.find(cause);
    if (found == accounts_.end()) return;
    Budget& left = found->second;
    take(left.tokens, child.tokens);
    take(left.calls, child.calls);
    take(left.cost_micro, child.cost_micro);
    take(left.messages, std::max(child.messages, 0) + 1);
  }

  // `whole`: the message's budget.
  [[nodiscard]] Budget left(std::uint64_t offset, const Budget& whole) const {
    const auto found = accounts_.find(offset);
    if (found == accounts_.end()) return whole;
    Budget left = found->second;
    left.hops = whole.hops;
    left.wall_ms = whole.wall_ms;
    return left;
  }

  void write(std::string& out) const {
    put_varint(out, accounts_.size());
    for (const auto& [offset, left] : accounts_) {
      put_varint(out, offset);
      put_signed(out, left.tokens);
      put_signed(out, left.calls);
      put_signed(out, left.cost_micro);
      put_signed(out, left.messages);
    }
  }
  void read(WireReader& in) {
    for (std::uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
      Budget& left = accounts_[in.varint()];
      left.tokens = in.signed_varint();
      left.calls = static_cast<std::int32_t>(in.signed_varint());
      left.cost_micro = in.signed_varint();
      left.messages = static_cast<std::int32_t>(in.signed_varint());
    }
  }

 private:
  template <class Number>
  static void take(Number& left, Number given) {
    if (left >= 0) left = std::max<Number>(0, left - std::max<Number>(given, 0));
  }

  std::map<std::uint64_t, Budget> accounts_;
};

}  // namespace qiao::broker
