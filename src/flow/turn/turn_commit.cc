// SPDX-License-Identifier: Apache-2.0
// How a turn becomes true.
#include <algorithm>

#include "base/i18n.h"
#include "base/logging.h"
#include "flow/loop.h"
#include "flow/turn/reply_id.h"
#include "flow/turn/turn.h"

namespace qiao::flow {
namespace {

// Shown to readers of the stream while they happen; the others are for the record.
bool is_shown(std::string_view type) {
  return type == "decision" || type == "knowledge" || type == "filter" || type == "fallback" ||
         type.starts_with("tool.");
}

Json to_json(const Usage& usage) {
  return Json{{"prompt_tokens", usage.prompt_tokens},
              {"cached_tokens", usage.cached_tokens},
              {"completion_tokens", usage.completion_tokens}};
}

std::string key_of(Language language) {
  return language == Language::kChinese ? "zh" : "en";
}

}  // namespace

void Turn::note(std::string_view type, Json data) {
  if (is_shown(type)) stream_.info(type, data);
  record::Event event;
  event.time_ms = parts_.clock.wall_ms();
  event.conversation = next_->id;
  event.message_id = message_id();
  event.type = std::string(type);
  event.data = std::move(data);
  commit_.events.push_back(std::move(event));
}

Message Turn::reply_message() const {
  Message message = text_message(parts_.config.output, reply_, next_->id);
  message.correlation = message_id();
  message.cause = message_id();
  message.source = "flow/" + parts_.config.name;
  spend_from(message.budget);
  message.headers["x-flow"] = parts_.config.name;
  message.headers["x-route"] = decision_.route;
  message.headers["x-language"] = key_of(language_);
  if (agent_ != nullptr) message.headers["x-agent"] = agent_->name;
  if (reply_by_model_) message.headers["x-ai-generated"] = "true";
  if (after_approval_) message.headers["x-after"] = "approval";
  return message;
}

Message Turn::forwarded_message(const std::string& to) const {
  Message message = delivery_.message;
  message.id.clear();  // a message of its own
  message.subject = to;
  message.conversation = next_->id;
  for (const Message& follower : followers_) {
    message.parts.insert(message.parts.end(), follower.parts.begin(), follower.parts.end());
  }
  message.reply_to = parts_.config.replies;
  message.correlation.clear();
  message.cause = message_id();
  message.source = "flow/" + parts_.config.name;
  spend_from(message.budget);
  message.headers["x-flow"] = parts_.config.name;
  message.headers["x-route"] = decision_.route;
  message.headers["x-language"] = key_of(language_);
  return message;
}

// To the flow's output, and to each message of the turn whose sender waits at a subject of its own.
void Turn::publish_reply() {
  commit_.publish.push_back(reply_message());
  commit_.publish.back().id = reply_id(parts_.config.name, message_id());
  const auto answer_to = [this](const Message& asked) {
    if (asked.reply_to.empty() || asked.reply_to == parts_.config.output) return;
    Message copy = reply_message();
    copy.subject = asked.reply_to;
    copy.correlation = asked.id;
    commit_.publish.push_back(std::move(copy));
  };
  answer_to(delivery_.message);
  for (const Message& follower : followers_) answer_to(follower);
}

void Turn::commit(std::string finish) {
  phase_ = Phase::kCommitting;
  finish_ = std::move(finish);
  text_ += take_followers(std::exchange(joined_, {}));  // it ends before it came to them
  next_->remember(RememberedMessage{message_id(), true, text_});
  if (!reply_.empty()) {
    next_->remember(RememberedMessage{"", false, reply_});
    publish_reply();
  }
  if (!forward_to_.empty()) commit_.publish.push_back(forwarded_message(forward_to_));
  Json state = qiao::to_json(*next_);
  state["route"] = decision_.route;
  note("conversation", std::move(state));
  commit_.ack = {lease_of(delivery_)};
  commit_.receipts = receipts_->for_commit();
  commit_.chunks = stream_.prepare_end(reply_, stream_end());
  send_commit(1);
}

void Turn::send_commit(int tries) {
  parts_.broker.commit(commit_, on_loop(parts_.executor, shared_from_this(),
                                        [tries](Turn& self, Result<std::vector<Published>> done) {
                                          if (self.phase_ == Phase::kCommitting) {
                                            self.committed(tries, std::move(done));
                                          }
                                        }));
}

void Turn::committed(int tries, Result<std::vector<Published>> published) {
  if (published) {
    if (!parks_) *conversation_ = *next_;
    conversation_->parked = parks_;
    stream_.show_end();
    return over();
  }
  const Error& error = published.error();
  const bool refused = error.code == Code::kPrecondition || error.code == Code::kInvalidArgument;
  const std::size_t receipts_needed = parks_ ? 1 : 0;          // who was asked; the last of them
  if (refused && commit_.receipts.size() > receipts_needed) {  // perhaps a bound of theirs
    commit_.receipts.erase(commit_.receipts.begin(),
                           commit_.receipts.end() - static_cast<std::ptrdiff_t>(receipts_needed));
    return send_commit(tries);
  }
  if (error.code == Code::kOverloaded && tries < kCommitTriesMax) {
    parts_.executor.post_after(kCommitRetryMs, [weak = weak_from_this(), tries] {
      const auto self = weak.lock();
      if (self && self->phase_ == Phase::kCommitting) self->send_commit(tries + 1);
    });
    return;
  }
  log_warn("flow", parts_.config.name + ": a turn is not committed: " + error.message);
  if (error.code == Code::kInvalidArgument && tries < kCommitTriesMax)
    return commit_failure_reply();
  if (error.code == Code::kPrecondition) {
    const auto made = static_cast<std::int64_t>(commit_.publish.size());
    const bool many = left_.messages >= 0 && made > left_.messages;
    return give_up(many ? "messages" : "hops", error.message);
  }
  // Another attempt has the message, or the log is closed: nothing of this turn is true.
  const bool another = error.code == Code::kConflict;
  if (another && parts_.config.turn.busy == Busy::kInterrupt && lease_->was_in_time())
    return superseded();
  if (another) {
    stream_.reset("another attempt answers");
  } else {
    stream_.end(Json{{"message_id", ""}, {"finish", "error"}, {"error", error.message}});
  }
  over();
}

// The broker refuses what we made of it (an answer past its bounds): say so instead, once.
void Turn::commit_failure_reply() {
  Commit refused = std::exchange(commit_, {});
  parks_ = false;
  for (record::Event& event : refused.events) {
    if (event.type == "turn" || event.type == "decision") {
      commit_.events.push_back(std::move(event));
    }
  }
  *next_ = *conversation_;
  ++next_->turns;
  next_->last_ms = parts_.clock.wall_ms();
  forward_to_.clear();
  reply_ = tr(language_, Text::kFlowNoAnswer);
  reply_by_model_ = false;
  publish_reply();
  note("fallback", Json{{"reason", "the answer was refused by the broker"}});
  note("conversation", qiao::to_json(*next_));
  commit_.ack = {lease_of(delivery_)};
  commit_.chunks = stream_.prepare_end(reply_, stream_end());
  send_commit(kCommitTriesMax);
}

Json Turn::stream_end() const {
  Json data{{"message_id", reply_.empty() ? "" : reply_id(parts_.config.name, message_id())},
            {"finish", finish_},
            {"usage", to_json(answer_.usage)},
            {"conversation", next_->id},
            {"route", decision_.route},
            {"tier", decision_.tier},
            {"to", decision_.to},
            {"agent", agent_ != nullptr ? agent_->name : ""},
            {"tools", answer_.tools},
            {"filter", answer_.filter},
            {"language", key_of(language_)},
            {"state", name_of(next_->state)},
            {"ended", next_->state == Conversation::State::kEnded}};
  if (!forward_to_.empty()) data["to"] = forward_to_;
  return data;
}

bool Turn::answers(const std::string& message_id) const {
  return delivery_.message.id == message_id ||
         std::any_of(followers_.begin(), followers_.end(),
                     [&](const Message& follower) { return follower.id == message_id; }) ||
         std::any_of(joined_.begin(), joined_.end(),
                     [&](const StoredMessage& one) { return one.message.id == message_id; });
}

void Turn::leave(const std::string& message_id) {
  gone_.insert(message_id);
  if (gone_.size() > followers_.size() + joined_.size()) cancel();
}

void Turn::cancel() {
  if (phase_ != Phase::kUnderstanding && phase_ != Phase::kAnswering) return;
  if (run_) run_->cancel();
  note("cancelled", Json::object());
  receipts_->keep(std::string(kEndStep), "", Json{{"by", "cancel"}});
  stream_.reset("cancelled");
  commit("cancelled");
}

void Turn::abandon(bool hand_it_back) {
  if (phase_ == Phase::kOver) return;
  if (run_) run_->cancel();
  if (hand_it_back) return hand_back(0, false, "the server stops");
  stream_.reset("another attempt answers");
  over();
}

// A commit that is on its way tells by itself.
void Turn::lease_is_lost() {
  if (phase_ == Phase::kOver || phase_ == Phase::kCommitting) return;
  const bool newer = parts_.config.turn.busy == Busy::kInterrupt && lease_->was_in_time();
  newer ? superseded() : abandon(false);
}

// A newer message ended it, which is acked: the next turn has both in its context. What was shown
// stays, marked as superseded.
void Turn::superseded() {
  if (run_) run_->cancel();
  conversation_->remember(RememberedMessage{message_id(), true, text_});
  conversation_->remember(seen_.entities);
  stream_.end(
      Json{{"message_id", ""}, {"finish", "superseded"}, {"conversation", conversation_->id}});
  over();
}

// The message comes again; the live view starts anew then.
void Turn::hand_back(std::int64_t delay_ms, bool counts, const std::string& reason) {
  stream_.reset(reason);
  parts_.broker.nack(lease_of(delivery_), delay_ms, counts, reason,
                     [](const Status&) {});  // refused: the lease runs out instead
  over();
}

void Turn::over() {
  if (phase_ == Phase::kOver) return;
  phase_ = Phase::kOver;
  lease_.reset();
  parts_.executor.cancel(wall_timer_);
  parts_.metrics.turns.add();
  parts_.metrics.turn_seconds.observe(static_cast<double>(parts_.clock.steady_us() - begin_us_) /
                                      1e6);
  done_();
}

}  // namespace qiao::flow
