// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "flow/consumer.h"
#include "flow/engine.h"
#include "flow/parts.h"
#include "flow/turn/conversation.h"
#include "flow/turn/turn.h"
#include "flow/turn/turn_gate.h"
#include "flow/work_pool.h"

namespace qiao {

// The engine's working state. Flow loop only, but what is const after make().
class FlowEngine::Impl : public std::enable_shared_from_this<FlowEngine::Impl> {
 public:
  static Result<std::shared_ptr<Impl>> make(FlowConfig config, FlowServices services,
                                            FlowOptions options);
  ~Impl();

  void start(Broker::Done<void> started);
  void stop(std::int64_t grace_ms, std::function<void()> stopped);
  void cancel(const std::string& message_id);
  void typing(const std::string& conversation, std::int64_t for_ms);
  static constexpr std::size_t kLeftMax = 1'000;  // the newest whose turn has not begun

  [[nodiscard]] const FlowConfig& config() const { return config_; }
  [[nodiscard]] std::vector<std::string> lacks() const;
  [[nodiscard]] Executor& executor() { return services_.executor; }

 private:
  Impl(FlowConfig config, FlowServices services, FlowOptions options);

  [[nodiscard]] std::shared_ptr<Model> model(const std::string& name) const;
  Result<std::vector<HeadSpec>> find_heads() const;
  Status make_parts();

  // From lease to turn (engine_turns.cc)
  using WithConversation = std::function<void(std::shared_ptr<Conversation>)>;
  void with_conversation(const std::string& id, std::uint64_t before, WithConversation then);
  void begin(std::shared_ptr<const Delivery> delivery);
  void admit(const std::shared_ptr<const Delivery>& delivery,
             const std::shared_ptr<Conversation>& conversation);
  void remember_typing(const std::string& conversation, std::int64_t for_ms);
  void pass_gate(const Delivery& delivery, const std::shared_ptr<Conversation>& conversation);
  void run_turn(Delivery delivery, std::shared_ptr<Conversation> conversation);
  void leave_early(flow::Turn& turn);
  void turn_over(const std::string& conversation, std::uint64_t offset);
  void message_over(const std::string& conversation);

  // Answers of outside consumers (engine_replies.cc)
  void take_reply(std::shared_ptr<const Delivery> delivery);
  void pass_decision(const Delivery& delivery);
  void pass_reply(const Delivery& delivery, std::shared_ptr<Conversation> conversation);

  // Idle conversations (engine_idle.cc)
  void arm_idle();
  void end_idle();
  void say_idle_end(const std::shared_ptr<Conversation>& conversation);

  // Work on one conversation goes one after another.
  void when_free(const std::string& conversation, std::function<void()> work);
  void free(const std::string& conversation);

  void stop_if_done();
  void end_grace();
  void call_stopped();
  void hand_back(const Delivery& delivery, const std::string& conversation);

  const FlowConfig config_;
  const FlowServices services_;
  const FlowOptions options_;
  WorkPool pool_;
  std::unique_ptr<ToolBox> tools_;
  std::unique_ptr<flow::Parts> parts_;

  ConversationStore store_;
  std::shared_ptr<flow::Consumer> input_;
  std::shared_ptr<flow::Consumer> replies_;
  std::map<std::string, std::shared_ptr<flow::TurnGate>>
      gates_;                                                   // those that wait, by conversation
  std::map<std::uint64_t, std::shared_ptr<flow::Turn>> turns_;  // by offset of the message
  std::map<std::string, std::deque<std::function<void()>>> busy_;  // what waits, by conversation
  // Told of conversations without a gate: a message that came before may be on its way to one.
  struct Typing {
    std::int64_t told_ms = 0;   // wall clock
    std::int64_t until_ms = 0;  // wall clock
  };
  static constexpr std::size_t kTypingMax = 10'000;
  std::map<std::string, Typing> typing_;
  std::deque<std::string> left_;  // messages whose readers went away before their turn
  Executor::TimerId idle_timer_ = 0;
  bool stopping_ = false;
  bool handing_back_ = false;  // the grace is over: no turn begins any more
  std::vector<std::function<void()>> stopped_;
};

}  // namespace qiao
