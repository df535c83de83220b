// SPDX-License-Identifier: Apache-2.0
#include "sim/checker.h"

namespace qiao::sim {

const std::vector<std::unique_ptr<Checker>>& all_checkers() {
  static const std::vector<std::unique_ptr<Checker>> kAll = [] {
    std::vector<std::unique_ptr<Checker>> all;
    for (const auto make :
         {acked_is_stored_once,        conversation_keeps_order, seen_is_durable,
          lane_goes_forward,           lease_is_exclusive,       acked_stays_acked,
          one_end_per_group,           nobody_is_forgotten,      rests_are_kept,
          retries_follow_rules,        priority_goes_first,      capacity_is_kept,
          busy_policy_holds,           followers_share_fate,     letter_has_one_fate,
          reader_has_no_gap,           answer_fits_request,      key_names_one_effect,
          one_turn_per_message,        budget_is_kept,           receipts_are_kept,
          answered_is_not_asked_again, expectation_is_kept,      backlog_is_bounded,
          retention_keeps_its_bounds,  stream_is_whole,          errors_are_expected,
          everything_finishes})
      all.push_back(make());
    return all;
  }();
  return kAll;
}

std::vector<Violation> check_all(const Journal& journal) {
  std::vector<Violation> violations;
  for (const auto& checker : all_checkers()) {
    for (std::string& what : checker->check(journal))
      violations.push_back({std::string(checker->name()), std::move(what)});
  }
  return violations;
}

}  // namespace qiao::sim
