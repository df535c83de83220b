// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/json.h"
#include "broker/broker.h"

namespace qiao::flow {

// What the steps of one turn asked of the outside (understanding, models, tools, filters that ask
// an encoder) and were answered: `{"asked": digest of the question, …}` under the step's name. The
// answers of an earlier attempt are taken instead of asking again, if the question is the same.
//
// Storing never holds up the turn: it goes on while the log syncs, and the commit stands behind
// all receipts in the log. Only what has an effect outside (a tool) waits, by when_durable(). A
// receipt that a bound of the broker refuses is done without; one refused because the lease or the
// log is gone ends the turn (`lost`). Past the bounds below a step has none.
//
// Flow loop only. Owned by its Turn.
class TurnReceipts : public std::enable_shared_from_this<TurnReceipts> {
 public:
  static constexpr std::size_t kReceiptsMax = 48;  // stored on the way
  static constexpr std::size_t kKeptMax = 16;      // in the commit, each of at most kKeptBytesMax
  static constexpr std::size_t kKeptBytesMax = 16 << 10;

  // `recorded`: the turn is a replay. Failures are answers too, and nothing is stored.
  TurnReceipts(Broker& broker, Executor& executor, const Delivery& delivery, bool recorded);

  void when_lost(std::function<void()> lost) { lost_ = std::move(lost); }
  // The next step of a kind: "model.1", "model.2", …
  std::string next(std::string_view kind);
  // The answer to the same question, or null: ask.
  [[nodiscard]] const Json* taken(const std::string& step, std::string_view asked) const;
  [[nodiscard]] const Json* taken(const std::string& step) const;
  // Whether an earlier attempt has steps of a kind that this one has not come to.
  [[nodiscard]] bool has_later(std::string_view kind) const;
  // Will be durable soon; failures only with the commit, since another attempt asks again.
  void store(const std::string& step, std::string_view asked, Json data);
  // Will be durable with the commit; what is too large for it, soon.
  void keep(const std::string& step, std::string_view asked, Json data);
  // What was kept will be durable soon after all: the turn goes on from it.
  void store_kept(const std::string& step);
  // Runs `then` when all that was stored is durable, at once when it is; never when it is lost.
  // One at a time.
  void when_durable(std::function<void()> then);
  [[nodiscard]] std::vector<LeaseReceipt> for_commit() const;

 private:
  void send(const std::string& step, std::string bytes);
  void stored(const std::string& step, const Status& status);

  Broker& broker_;
  Executor& executor_;
  const LeaseRef lease_;
  const bool recorded_;
  std::map<std::string, Json> earlier_;
  std::map<std::string, std::string> kept_;
  std::map<std::string, int, std::less<>> counts_;  // of steps, by kind
  std::size_t stored_ = 0;
  std::size_t in_flight_ = 0;
  std::function<void()> then_;
  std::function<void()> lost_;
  bool is_lost_ = false;
};

// The step of understanding and deciding, and of a turn's end by time or by its reader.
inline constexpr std::string_view kDecisionStep = "decision";
inline constexpr std::string_view kEndStep = "end";

// Drafts, and what filters said of them.
inline constexpr std::string_view kDraftKind = "model";
inline constexpr std::string_view kFilterKind = "filter";
// What a turn that is steered took at a safe point.
inline constexpr std::string_view kSteerKind = "steer";

// The followers that an earlier attempt at the message began its turn with; none: it did not begin.
std::optional<std::set<std::string>> began_with(const Delivery& delivery);
// When an earlier attempt at the message began its turn.
std::optional<std::int64_t> began_ms(const Delivery& delivery);

// The message ids of a list in a receipt.
std::set<std::string> ids_in(const Json& list);

// A short name for what a step asks.
std::string digest_of(const Json& question);

}  // namespace qiao::flow
