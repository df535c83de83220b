// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "flow/config/flow_config.h"
#include "message/message.h"

namespace qiao::flow {

// A tool call that needs somebody's consent, and how that travels (docs/concepts/flow.md):
//
//   turn parks, its proposal goes to approve.to → a person decides → POST /v1/approvals/ID
//   → a decision on "<flow>.replies" → receipt and wake in one batch → the turn goes on
//
// Plain values and pure functions.
struct Proposal {
  std::string id;  // of the proposal's message: the same in every attempt
  std::string tool;
  Json arguments;
};

// How a proposal stands: data of the receipt approval_step(id) of the user's message.
struct Approval {
  enum class State { kAsked, kApproved, kDenied };

  State state = State::kAsked;
  std::string to;  // who is asked now
  std::int64_t until_ms = 0;
  bool escalated = false;
  std::string by;
  std::string note;
};

inline constexpr std::string_view kApprovalHeader = "x-approval";  // the proposal's id
inline constexpr std::string_view kDecisionHeader = "x-decision";  // "approve" or "deny"
inline constexpr std::string_view kParkedHeader = "x-parked";      // offset of the user's message
inline constexpr std::string_view kParkReason = "approval ";       // then the proposal's id

// From the key of the effect that is proposed.
std::string proposal_id(std::string_view effect_key);
std::string approval_step(std::string_view proposal);

std::string_view name_of(Approval::State state);
Json to_json(const Approval& approval);
// What is ill-typed or unknown stands for an approval not yet decided, asked of nobody.
Approval approval_from_json(const Json& json);

// The first question, and what follows when nobody has decided in time: another one is asked, or it
// is decided by itself.
Approval ask_first(const ApproveConfig& config, std::int64_t now_ms);
Approval after_silence(const ApproveConfig& config, const Approval& asked, std::int64_t now_ms);

// A person's decision as it stands in a message on "<flow>.replies"; kAsked: it is none.
Approval decision_in(const Message& message);

}  // namespace qiao::flow
