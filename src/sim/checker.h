// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/journal.h"

namespace qiao::sim {

struct Violation {
  std::string checker;
  std::string what;
};

// One promise, checked against what everybody saw and what the log holds when all is over. Without
// state of its own. One file each in checkers/; all_checkers() lists them.
class Checker {
 public:
  Checker() = default;
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;
  virtual ~Checker() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;
  // What is broken, one sentence each; none: the promise was kept.
  [[nodiscard]] virtual std::vector<std::string> check(const Journal& journal) const = 0;
};

// An acked publish is in the log once, at the offset its publisher was told.
std::unique_ptr<Checker> acked_is_stored_once();
// The messages of a conversation stand in the order their publisher sent them.
std::unique_ptr<Checker> conversation_keeps_order();
// What anybody was handed, read or was told is in the log at the end, at the same place.
std::unique_ptr<Checker> seen_is_durable();
// An ordered group hands out a conversation's messages one after the other and never goes back.
std::unique_ptr<Checker> lane_goes_forward();
// A leased message goes to nobody else before its lease ended.
std::unique_ptr<Checker> lease_is_exclusive();
// After a confirmed ack the group never hands the message out again.
std::unique_ptr<Checker> acked_stays_acked();
// A message ends in a group once: acked or in the dead letters, never both; with its result or not.
std::unique_ptr<Checker> one_end_per_group();
// Every message of a group has an end: acked, superseded, a dead letter, or removed.
std::unique_ptr<Checker> nobody_is_forgotten();
// Nothing is handed out before its delay, its backoff or its park is over, unless it was woken.
std::unique_ptr<Checker> rests_are_kept();
// Attempts are counted, waits are as long, and the last attempt is the one, that a group's rules
// say; handed back and parked ones lose none.
std::unique_ptr<Checker> retries_follow_rules();
// Where there are no lanes, nothing goes before what is older and as urgent.
std::unique_ptr<Checker> priority_goes_first();
// Nobody gets a message longer than the context it told.
std::unique_ptr<Checker> capacity_is_kept();
// What happens to a message whose conversation is at work is what the group's policy says.
std::unique_ptr<Checker> busy_policy_holds();
// What joined a lease is seen by who acks it, acked with it, and never handed out again.
std::unique_ptr<Checker> followers_share_fate();
// A dead letter is sent again or dropped, once; what is sent again is there.
std::unique_ptr<Checker> letter_has_one_fate();
// A reader that comes back sees every message of its pattern once, in order.
std::unique_ptr<Checker> reader_has_no_gap();
// A request's answer is the answer to that request.
std::unique_ptr<Checker> answer_fits_request();
// An idempotency key never names two different effects.
std::unique_ptr<Checker> key_names_one_effect();
// A message of the flow is answered by one committed turn.
std::unique_ptr<Checker> one_turn_per_message();
// All that a message causes has no more to spend than it had, and a turn spends no more than it
// has; what is spent ends as a letter that says why.
std::unique_ptr<Checker> budget_is_kept();
// A message comes with the receipts of the work on it so far, and its steps are not done again.
std::unique_ptr<Checker> receipts_are_kept();
// A step of a turn that was answered is not asked again, whatever happens to the turn.
std::unique_ptr<Checker> answered_is_not_asked_again();
// What tells the last message it has seen is stored behind that one or not at all, and told so.
std::unique_ptr<Checker> expectation_is_kept();
// A group has no more open than it or the topic allows.
std::unique_ptr<Checker> backlog_is_bounded();
// What is removed was past the bounds of its topic, was open nowhere, went in order and stays away.
std::unique_ptr<Checker> retention_keeps_its_bounds();
// A live answer's offsets rise by one, and what was shown at its end is the reply.
std::unique_ptr<Checker> stream_is_whole();
// No error that the faults do not explain.
std::unique_ptr<Checker> errors_are_expected();
// With the faults over, everything finished.
std::unique_ptr<Checker> everything_finishes();

const std::vector<std::unique_ptr<Checker>>& all_checkers();
std::vector<Violation> check_all(const Journal& journal);

}  // namespace qiao::sim
