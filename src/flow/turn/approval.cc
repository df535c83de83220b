// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/approval.h"

#include "base/digest.h"

namespace qiao::flow {
namespace {

constexpr std::string_view kNobody = "nobody decided in time";

std::string header(const Message& message, std::string_view name) {
  const auto found = message.headers.find(std::string(name));
  return found == message.headers.end() ? "" : found->second;
}

Approval::State state_of(std::string_view name) {
  if (name == "approve") return Approval::State::kApproved;
  if (name == "deny") return Approval::State::kDenied;
  return Approval::State::kAsked;
}

}  // namespace

std::string proposal_id(std::string_view effect_key) {
  constexpr std::size_t kHexDigits = 24;
  return "approve." + sha256_hex(effect_key).substr(0, kHexDigits);
}

std::string approval_step(std::string_view proposal) {
  return "approval." + std::string(proposal);
}

std::string_view name_of(Approval::State state) {
  switch (state) {
    case Approval::State::kAsked:
      return "asked";
    case Approval::State::kApproved:
      return "approve";
    case Approval::State::kDenied:
      return "deny";
  }
  return "asked";
}

Json to_json(const Approval& approval) {
  Json json{{"state", name_of(approval.state)}};
  if (!approval.to.empty()) json["to"] = approval.to;
  if (approval.until_ms != 0) json["until_ms"] = approval.until_ms;
  if (approval.escalated) json["escalated"] = true;
  if (!approval.by.empty()) json["by"] = approval.by;
  if (!approval.note.empty()) json["note"] = approval.note;
  return json;
}

Approval approval_from_json(const Json& json) {
  Approval approval;
  approval.state = state_of(json_string(json, "state").value_or(""));
  approval.to = json_string(json, "to").value_or("");
  approval.until_ms = json_integer(json, "until_ms").value_or(0);
  approval.escalated = json.is_object() && json.contains("escalated");
  approval.by = json_string(json, "by").value_or("");
  approval.note = json_string(json, "note").value_or("");
  return approval;
}

Approval ask_first(const ApproveConfig& config, std::int64_t now_ms) {
  Approval approval;
  approval.to = config.to;
  approval.until_ms = now_ms + config.after_ms;
  return approval;
}

Approval after_silence(const ApproveConfig& config, const Approval& asked, std::int64_t now_ms) {
  Approval next = asked;
  next.state = state_of(config.escalate_to);
  if (asked.escalated) next.state = Approval::State::kDenied;
  if (next.state != Approval::State::kAsked) {
    next.by = kNobody;
    return next;
  }
  next.to = config.escalate_to;
  next.until_ms = now_ms + config.after_ms;
  next.escalated = true;
  return next;
}

Approval decision_in(const Message& message) {
  Approval approval;
  approval.state = state_of(header(message, kDecisionHeader));
  approval.by = message.source;
  approval.note = message.text();
  return approval;
}

}  // namespace qiao::flow
