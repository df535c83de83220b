// SPDX-License-Identifier: Apache-2.0
// What outside consumers (programs, people at `qiao desk`) answer on "<flow>.replies".
#include <cstdlib>

#include "base/logging.h"
#include "flow/engine_impl.h"
#include "flow/loop.h"
#include "flow/turn/approval.h"
#include "text/pii.h"

namespace qiao {
namespace {

constexpr std::uint32_t kDecisionTries = 3;
constexpr std::int64_t kDecisionAgainMs = 1'000;

record::Event event_of(const Conversation& conversation, const Delivery& delivery, std::string type,
                       Json data, std::int64_t time_ms) {
  record::Event event;
  event.time_ms = time_ms;
  event.conversation = conversation.id;
  event.message_id = delivery.message.id;
  event.type = std::move(type);
  event.data = std::move(data);
  return event;
}

bool hands_back(const Message& message) {
  const auto done = message.headers.find("x-done");
  return done != message.headers.end() && (done->second == "true" || done->second == "1");
}

}  // namespace

void FlowEngine::Impl::take_reply(std::shared_ptr<const Delivery> delivery) {
  const std::string& id = delivery->message.conversation;
  if (delivery->message.headers.contains(std::string(flow::kApprovalHeader)))
    return pass_decision(*delivery);
  if (id.empty()) {
    log_warn("flow", config_.name + ": a reply names no conversation and is dropped");
    services_.broker.ack({lease_of(*delivery)}, [](const Status&) {});
    replies_->done();
    return stop_if_done();
  }
  when_free(id, [this, delivery, id] {
    with_conversation(id, delivery->offset, [this, delivery](auto conversation) {
      pass_reply(*delivery, std::move(conversation));
    });
  });
}

// A decision becomes the receipt that the parked turn goes on with, in the batch that wakes it. One
// that comes when nothing waits any more is dropped.
void FlowEngine::Impl::pass_decision(const Delivery& delivery) {
  const auto& headers = delivery.message.headers;
  const auto parked = headers.find(std::string(flow::kParkedHeader));
  const flow::Approval decided = flow::decision_in(delivery.message);
  Commit commit;
  commit.ack = {lease_of(delivery)};
  if (parked != headers.end() && decided.state != flow::Approval::State::kAsked) {
    const std::string group = "flow." + config_.name;
    const std::uint64_t offset = std::strtoull(parked->second.c_str(), nullptr, 10);
    const std::string step = flow::approval_step(headers.at(std::string(flow::kApprovalHeader)));
    commit.receipts.push_back({{group, offset, 0}, {step, dump_json(flow::to_json(decided))}});
    commit.wake.push_back({group, offset});
  }
  // Not parked: its turn runs, to ask somebody else, and parks soon; or it is decided.
  const LeaseRef lease = commit.ack.front();
  const bool again = delivery.attempt < kDecisionTries;
  services_.broker.commit(
      std::move(commit),
      flow::on_loop(services_.executor, shared_from_this(),
                    [lease, again](Impl& self, const Result<std::vector<Published>>& done) {
                      const bool late = !done && done.error().code == Code::kConflict;
                      const auto ignore = [](const Status&) {};
                      if (late && again) {
                        self.services_.broker.nack(lease, kDecisionAgainMs, true, "not parked",
                                                   ignore);
                      } else if (late) {
                        self.services_.broker.ack({lease}, ignore);
                        log_warn("flow", "a decision is dropped: " + done.error().message);
                      }
                      self.replies_->done();
                      self.stop_if_done();
                    }));
}

// A person's words are passed as they are; personal data in them is only noted.
void FlowEngine::Impl::pass_reply(const Delivery& delivery,
                                  std::shared_ptr<Conversation> conversation) {
  const Message& reply = delivery.message;
  const std::int64_t now_ms = services_.clock.wall_ms();
  auto next = std::make_shared<Conversation>(*conversation);
  const std::string text = reply.text();
  Commit commit;
  commit.ack = {lease_of(delivery)};
  if (!text.empty()) {
    Message answer = reply;
    answer.id.clear();
    answer.subject = config_.output;
    answer.reply_to.clear();
    answer.cause = reply.id;
    answer.headers["x-flow"] = config_.name;
    answer.headers["x-route"] = "person";
    commit.publish.push_back(std::move(answer));
    next->remember(RememberedMessage{"", false, text});
    commit.events.push_back(
        event_of(*next, delivery, "reply", Json{{"source", reply.source}}, now_ms));
  }
  if (const auto pii = find_pii(text); !pii.empty()) {
    commit.events.push_back(event_of(
        *next, delivery, "filter",
        Json{{"filter", "no-pii"}, {"warning", true}, {"kind", pii.front().kind}}, now_ms));
  }
  next->last_ms = now_ms;
  if (hands_back(reply)) {
    next->state = Conversation::State::kOpen;
    next->person.clear();
    next->unknown = 0;
  }
  commit.events.push_back(event_of(*next, delivery, "conversation", to_json(*next), now_ms));
  services_.broker.commit(
      std::move(commit),
      flow::on_loop(services_.executor, shared_from_this(),
                    [conversation, next](Impl& self, Result<std::vector<Published>> done) {
                      if (done) *conversation = *next;
                      if (!done) {  // its lease runs out, it comes again
                        log_warn("flow", "a reply is not passed: " + done.error().message);
                      }
                      self.free(conversation->id);
                      self.replies_->done();
                      self.stop_if_done();
                    }));
}

}  // namespace qiao
