// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "flow/consumer.h"
#include "flow/parts.h"
#include "flow/turn/agent_run.h"
#include "flow/turn/approval.h"
#include "flow/turn/conversation.h"
#include "flow/turn/turn_receipts.h"
#include "flow/turn/turn_stream.h"

namespace qiao::flow {

// One turn of one conversation, from the leased message to the commit of everything it decided:
//
//   understand + knowledge → person holds it? end? → decide → agent | outside subject → reply
//
// Each step is a callback on the flow's loop. What the turn changes (events, reply, forwarded
// copy, ack, the conversation) becomes true in one Broker::commit, or not at all: until then the
// conversation is a copy. A turn that cannot answer falls back to text or a person; only a lost
// lease or a failed log leaves the message to another attempt, which takes the answers that this
// one has receipts of (flow/turn_receipts.h) and goes on from there.
//
// Flow loop only. Owned by the FlowEngine until it calls `done`.
class Turn : public std::enable_shared_from_this<Turn> {
 public:
  // What is looked at of a message to understand it; agents get all of it.
  static constexpr std::size_t kUnderstoodBytesMax = 8 << 10;
  static constexpr int kCommitTriesMax = 20;
  static constexpr std::int64_t kCommitRetryMs = 250;
  // So near to the deadline of a request its answer comes too late.
  static constexpr std::int64_t kRequestEndMs = 20;

  using Done = std::function<void()>;

  // The followers of the delivery are part of the turn.
  Turn(Parts& parts, Delivery delivery, std::shared_ptr<Conversation> conversation, Done done);

  void start();
  // The reader of this message's answer went away. When all of the turn's have: stops the model,
  // keeps the record, sends no reply.
  void leave(const std::string& message_id);
  // The server stops or the lease is lost: leaves everything as it was. `hand_back`: the message
  // may be delivered again at once.
  void abandon(bool hand_back);

  [[nodiscard]] bool answers(const std::string& message_id) const;

 private:
  enum class Phase { kUnderstanding, kAnswering, kCommitting, kOver };

  // turn.cc: understand and decide
  void understand();
  [[nodiscard]] bool take_understanding();
  void understood();
  void add_facts();
  [[nodiscard]] Message whole_message() const;
  void note_decision();
  void keep_decision();
  void record_ends(const std::string& step);
  void act();

  // turn_answer.cc: answer
  void forward_to_person();
  void hand_over(const std::string& to, const std::string& text, bool hold);
  void answer_from_knowledge();
  [[nodiscard]] AgentTask task_for(const AgentConfig& agent) const;
  void run_agent(const AgentConfig& agent);
  void answered(Answer answer);
  void fall_back(const Error& error);
  void say_goodbye(const char* reason);
  void reply(std::string text, bool by_model);
  void wall_is_over();
  void steer(const std::function<void(std::string)>& then);
  void take_more(std::vector<StoredMessage> more, const std::string& step,
                 const std::function<void(std::string)>& then);
  [[nodiscard]] std::vector<StoredMessage> take_joined(const std::set<std::string>& ids);
  [[nodiscard]] std::string take_followers(const std::vector<StoredMessage>& joined);
  [[nodiscard]] bool request_is_over() const;
  [[nodiscard]] const std::string& message_id() const { return delivery_.message.id; }

  // turn_approve.cc: wait for consent
  void approve(const Proposal& proposal, const std::function<void(const Approval&)>& then);
  [[nodiscard]] Json approval_receipt(const std::string& proposal) const;
  [[nodiscard]] Message proposal_message(const Proposal& proposal, const Approval& approval) const;
  void park_for(const Proposal& proposal, const Approval& approval);

  // turn_limits.cc: what it may use up
  static Budget limits_of(const Budget& ours, const Budget& theirs);
  void spend_from(Budget& budget) const;
  [[nodiscard]] std::string spent_text(std::string_view limit) const;
  void give_up(std::string_view limit, const std::string& reason);

  // turn_commit.cc: make it true
  void note(std::string_view type, Json data);
  [[nodiscard]] Message reply_message() const;
  void publish_reply();
  [[nodiscard]] Message forwarded_message(const std::string& to) const;
  void commit(std::string finish);
  void send_commit(int tries);
  void committed(int tries, Result<std::vector<Published>> published);
  void commit_failure_reply();
  [[nodiscard]] Json stream_end() const;
  void hand_back(std::int64_t delay_ms, bool counts, const std::string& reason);
  void cancel();
  void lease_is_lost();
  void superseded();
  void over();

  Parts& parts_;
  const Delivery delivery_;
  std::vector<Message> followers_;     // share its lease: more of them when it is steered
  std::vector<StoredMessage> joined_;  // an earlier attempt took them on its way
  std::set<std::string> gone_;         // messages whose readers went away
  const std::shared_ptr<Conversation> conversation_;  // as it is
  std::shared_ptr<Conversation> next_;                // as it will be
  Done done_;
  TurnStream stream_;
  std::shared_ptr<TurnReceipts> receipts_;
  std::shared_ptr<LeaseKeeper> lease_;
  Executor::TimerId wall_timer_ = 0;
  Phase phase_ = Phase::kUnderstanding;
  const std::int64_t begin_us_;
  std::int64_t deadline_us_ = 0;
  Budget left_;  // but for the time

  std::string text_;
  Language language_ = Language::kEnglish;
  Annotations seen_;
  std::vector<KnowledgeHit> hits_;
  int awaited_ = 0;  // understanding and knowledge
  Decision decision_;
  const AgentConfig* agent_ = nullptr;
  std::shared_ptr<AgentRun> run_;
  bool in_fallback_ = false;
  bool after_approval_ = false;  // its answer comes when nobody reads the stream any more
  bool parks_ = false;           // the commit ends this attempt, not the turn

  Answer answer_;
  std::string reply_;
  bool reply_by_model_ = false;
  std::string forward_to_;
  std::string finish_;
  Commit commit_;
};

}  // namespace qiao::flow
