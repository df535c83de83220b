// SPDX-License-Identifier: Apache-2.0
#include "flow/replay/recorded_turns.h"

#include <algorithm>
#include <map>
#include <set>

#include "flow/turn/reply_id.h"
#include "flow/turn/turn_receipts.h"

namespace qiao {
namespace {

constexpr std::size_t kRowsMax = 10'000;

// The conversation's past, gone through once from its beginning.
class Past {
 public:
  Past(const FlowConfig& config, std::vector<HistoryMessage> messages)
      : config_(config), messages_(std::move(messages)) {
    for (const HistoryMessage& entry : messages_) by_id_.emplace(entry.message.id, &entry);
  }

  [[nodiscard]] const HistoryMessage* find(const std::string& id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }
  void answered(const std::string& message_id) { answered_.insert(message_id); }
  void take_state(const HistoryEvent& entry) {
    state_ = conversation_from_json("", entry.event.data);
    state_.last_ms = entry.event.time_ms;
    if (state_.state == Conversation::State::kEnded) ended_at_ = entry.offset;
  }
  // As the turn of `question` found it, whose events begin at `offset`, behind its own reply. What
  // was said to the flow and not answered by then came later.
  [[nodiscard]] std::shared_ptr<const Conversation> at(std::uint64_t offset,
                                                       const Message& question) const {
    auto conversation = std::make_shared<Conversation>(state_);
    conversation->id = question.conversation;
    for (const HistoryMessage& entry : messages_) {
      if (entry.offset >= offset) break;
      const bool from_user = entry.message.subject == config_.input;
      const bool ours = from_user ? answered_.contains(entry.message.id)
                                  : entry.message.subject == config_.output;
      const bool own = entry.message.correlation == question.id;
      if (!ours || own || entry.offset < ended_at_) continue;
      conversation->remember(RememberedMessage{entry.message.id, from_user, entry.message.text()});
    }
    return conversation;
  }

 private:
  const FlowConfig& config_;
  const std::vector<HistoryMessage> messages_;
  std::map<std::string, const HistoryMessage*> by_id_;
  std::set<std::string> answered_;
  Conversation state_;
  std::uint64_t ended_at_ = 0;
};

// The messages that `event` names under `key` share the turn's lease.
void take_followers(RecordedTurn& turn, const record::Event& event, const char* key, Past& past) {
  const auto ids = event.data.find(key);
  if (ids == event.data.end()) return;
  for (const Json& id : *ids) {
    const HistoryMessage* follower = id.is_string() ? past.find(id.get<std::string>()) : nullptr;
    if (follower == nullptr) continue;
    const bool known = std::any_of(
        turn.followers.begin(), turn.followers.end(),
        [&](const StoredMessage& one) { return one.message.id == follower->message.id; });
    if (known) continue;
    turn.followers.push_back({follower->offset, follower->message});
    past.answered(follower->message.id);
  }
}

void take_event(RecordedTurn& turn, const record::Event& event, Past& past) {
  if (event.type == "turn") take_followers(turn, event, "merged", past);
  if (event.type == "decision") turn.decision = event.data;
  if (event.type == "steered") take_followers(turn, event, "messages", past);
}

}  // namespace

Result<std::vector<RecordedTurn>> recorded_turns(History& history, const FlowConfig& config,
                                                 const std::string& conversation) {
  QIAO_ASSIGN(const std::vector<HistoryEvent> events, history.events(conversation, kRowsMax));
  QIAO_ASSIGN(std::vector<HistoryMessage> messages, history.messages(conversation, kRowsMax));
  Past past(config, std::move(messages));
  std::vector<RecordedTurn> turns;
  bool in_turn = false;
  for (const HistoryEvent& entry : events) {
    const record::Event& event = entry.event;
    if (event.type == "turn") {
      const HistoryMessage* question = past.find(event.message_id);
      in_turn = question != nullptr && question->message.subject == config.input;
      if (!in_turn) continue;  // another flow's, or no longer kept
      RecordedTurn& turn = turns.emplace_back();
      turn.question = {question->offset, question->message};
      turn.began_ms = event.time_ms;
      turn.before = past.at(entry.offset, question->message);
      past.answered(event.message_id);
      if (const auto* reply = past.find(reply_id(config.name, event.message_id)))
        turn.reply = reply->message;
    }
    if (in_turn) take_event(turns.back(), event, past);
    if (event.type != "conversation") continue;
    past.take_state(entry);
    if (in_turn) turns.back().end = entry.offset + 1;
    in_turn = false;
  }
  if (turns.size() > kRecordedTurnsMax)
    turns.erase(turns.begin(), turns.end() - static_cast<std::ptrdiff_t>(kRecordedTurnsMax));
  const std::string group = "flow." + config.name;
  for (RecordedTurn& turn : turns) {
    QIAO_ASSIGN(const std::vector<record::Receipt> receipts,
                history.receipts(group, turn.question.offset));
    for (const record::Receipt& receipt : receipts)
      turn.receipts.push_back({receipt.step, receipt.data});
    Delivery delivery;
    delivery.receipts = turn.receipts;
    turn.began_ms = flow::began_ms(delivery).value_or(turn.began_ms);
  }
  if (!turns.empty()) return turns;
  return not_found("the flow " + config.name + " has answered nothing in the conversation '" +
                   conversation + "'");
}

}  // namespace qiao
