// SPDX-License-Identifier: Apache-2.0
// How a turn waits for a person's consent: it parks its lane and runs again when there is a
// decision, with the receipts of what it had done.
#include <algorithm>

#include "base/i18n.h"
#include "base/logging.h"
#include "flow/loop.h"
#include "flow/turn/turn.h"

namespace qiao::flow {
namespace {

constexpr std::size_t kShownMessagesMax = 8;  // of the conversation, in a proposal

Json said_so_far(const Conversation& conversation) {
  Json said = Json::array();
  const std::size_t count = conversation.messages.size();
  for (std::size_t i = count - std::min(count, kShownMessagesMax); i < count; ++i) {
    const RememberedMessage& message = conversation.messages[i];
    said.push_back({{"role", message.from_user ? "user" : "assistant"}, {"text", message.text}});
  }
  return said;
}

// "refund {"order_number":"QX1"}": for lists and terminals.
std::string in_words(const Proposal& proposal) {
  return proposal.tool + " " + dump_json(proposal.arguments);
}

}  // namespace

// The receipt that earlier attempts or a person left, or null.
Json Turn::approval_receipt(const std::string& proposal) const {
  Json found;
  for (const StepReceipt& receipt : delivery_.receipts) {
    if (receipt.step != approval_step(proposal)) continue;
    if (auto data = parse_json(receipt.data)) found = std::move(*data);
  }
  return found;
}

// Goes on with a decision, or parks and never goes on in this attempt.
void Turn::approve(const Proposal& proposal, const std::function<void(const Approval&)>& then) {
  if (phase_ != Phase::kAnswering) return;
  const ApproveConfig& config = *parts_.config.tool(proposal.tool)->approve;
  const std::int64_t now_ms = parts_.clock.wall_ms();
  const Json receipt = approval_receipt(proposal.id);
  Approval approval = receipt.is_null() ? ask_first(config, now_ms) : approval_from_json(receipt);
  const bool silent = approval.state == Approval::State::kAsked && approval.until_ms <= now_ms;
  if (silent) approval = after_silence(config, approval, now_ms);
  if (approval.state == Approval::State::kAsked) return park_for(proposal, approval);
  Json decided = to_json(approval);
  decided["id"] = proposal.id;
  note("approval", std::move(decided));
  after_approval_ = true;
  then(approval);
}

// What a person needs to decide: the conversation so far, what was understood, the proposal, why.
Message Turn::proposal_message(const Proposal& proposal, const Approval& approval) const {
  Message message = text_message(approval.to, in_words(proposal), next_->id);
  // Who is asked after a silence gets a message of their own.
  message.id = proposal.id + (approval.escalated ? ".2" : "");
  message.correlation = message.cause = message_id();
  message.reply_to = parts_.config.replies;
  message.source = "flow/" + parts_.config.name;
  message.headers["x-flow"] = parts_.config.name;
  message.headers[std::string(kApprovalHeader)] = proposal.id;
  Json context{{"id", proposal.id},
               {"flow", parts_.config.name},
               {"tool", proposal.tool},
               {"describe", parts_.config.tool(proposal.tool)->describe.in(language_)},
               {"arguments", proposal.arguments},
               {"message_id", message_id()},
               {"conversation", next_->id},
               {"text", text_},
               {"said", said_so_far(*next_)},
               {"understood", qiao::to_json(seen_)},
               {"decision", qiao::to_json(decision_)},
               {"agent", agent_ != nullptr ? agent_->name : ""},
               {"to", approval.to},
               {"until_ms", approval.until_ms},
               {"escalated", approval.escalated}};
  Part part;
  part.kind = Part::Kind::kJson;
  part.data = dump_json(context);
  message.parts.push_back(std::move(part));
  return message;
}

// The proposal, what the user hears meanwhile, the receipt and the parking are one batch. The
// turn's own events are stored when it ends.
void Turn::park_for(const Proposal& proposal, const Approval& approval) {
  phase_ = Phase::kCommitting;
  finish_ = "approval";
  if (run_) run_->cancel();
  parts_.executor.cancel(wall_timer_);
  const ApproveConfig& config = *parts_.config.tool(proposal.tool)->approve;
  const LeaseRef lease = lease_of(delivery_);
  reply_ = config.wait.in(language_);
  if (reply_.empty()) reply_ = tr(language_, Text::kFlowHandedOver);
  commit_ = {};
  commit_.publish.push_back(proposal_message(proposal, approval));
  Message wait = reply_message();
  wait.id = "wait." + proposal.id;
  wait.headers["x-approval"] = proposal.id;
  commit_.publish.push_back(std::move(wait));
  commit_.receipts = receipts_->for_commit();
  commit_.receipts.push_back({lease, {approval_step(proposal.id), dump_json(to_json(approval))}});
  Json asked = to_json(approval);
  asked["id"] = proposal.id;
  asked["tool"] = proposal.tool;
  asked["arguments"] = proposal.arguments;
  note("approval", std::move(asked));
  commit_.park.push_back({lease, approval.until_ms, std::string(kParkReason) + proposal.id});
  Json end = stream_end();
  end["message_id"] = "wait." + proposal.id;
  end["approval"] = proposal.id;
  commit_.chunks = stream_.prepare_end(reply_, end);
  parks_ = true;
  send_commit(1);
}

}  // namespace qiao::flow
