// SPDX-License-Identifier: Apache-2.0
// How a turn comes to its answer.
#include <algorithm>

#include "base/i18n.h"
#include "broker/state.h"
#include "flow/loop.h"
#include "flow/turn/turn.h"
#include "flow/turn/two_places.h"
#include "text/entities.h"

namespace qiao::flow {
namespace {

std::vector<Entity> entities_of(std::string_view text, const std::vector<std::string>& kinds) {
  std::vector<Entity> entities;
  for (Span& span : find_entities(text, kinds)) {
    entities.push_back({std::move(span.kind), std::string(span.text), std::move(span.value)});
  }
  return entities;
}

}  // namespace

// The person hears it; the user gets the person's answer, and nothing from us in between.
void Turn::forward_to_person() {
  decision_ = {};
  decision_.route = "person";
  decision_.to = next_->person;
  decision_.tier = "person";
  decision_.reason = "the conversation is held by " + next_->person;
  note_decision();
  forward_to_ = next_->person;
  commit("person");
}

void Turn::hand_over(const std::string& to, const std::string& text, bool hold) {
  forward_to_ = to;
  if (hold) {
    next_->state = Conversation::State::kPerson;
    next_->person = to;
  }
  parts_.metrics.handed_over.add();
  reply(text.empty() ? tr(language_, Text::kFlowHandedOver) : text, false);
}

void Turn::answer_from_knowledge() {
  parts_.metrics.replies_without_model.add();
  reply(hits_.front().entry->answer.in(language_), false);
}

AgentTask Turn::task_for(const AgentConfig& agent) const {
  AgentTask task;
  task.agent = &agent;
  task.message_id = message_id();
  task.text = text_;
  task.language = language_;
  task.conversation = next_;
  if (agent.knowledge || agent.kind == AgentKind::kKnowledge) task.knowledge = hits_;
  task.tokens_left = left_.tokens < 0 ? INT64_MAX : left_.tokens;
  task.calls_left = left_.calls;
  task.cost_left = left_.cost_micro;
  return task;
}

void Turn::run_agent(const AgentConfig& agent) {
  agent_ = &agent;
  const auto run = std::make_shared<AgentRun>(
      parts_, task_for(agent), deadline_us_,
      AgentRun::Places{stream_, *receipts_,
                       [this](std::string_view type, Json data) { note(type, std::move(data)); },
                       [this](const std::string& step) { record_ends(step); }},
      [weak = weak_from_this()](Answer answer) {
        if (const auto self = weak.lock()) self->answered(std::move(answer));
      });
  run_ = run;
  run->when_proposing([weak = weak_from_this()](const Proposal& proposal,
                                                const std::function<void(const Approval&)>& then) {
    if (const auto self = weak.lock()) self->approve(proposal, then);
  });
  if (parts_.config.turn.busy == Busy::kSteer) {
    run->when_steered([weak = weak_from_this()](const std::function<void(std::string)>& then) {
      if (const auto self = weak.lock()) self->steer(then);
    });
  }
  run->start();  // may fall back to another agent at once, which takes the place in run_
}

void Turn::answered(Answer answer) {
  if (phase_ != Phase::kAnswering) return;
  answer_ = std::move(answer);
  const Usage& usage = answer_.usage;
  if (left_.tokens >= 0) left_.tokens -= usage.prompt_tokens + usage.completion_tokens;
  if (left_.cost_micro >= 0)
    left_.cost_micro = std::max<std::int64_t>(0, left_.cost_micro - answer_.cost_micro);
  if (left_.calls >= 0) left_.calls = std::max(0, left_.calls - answer_.calls);
  if (!answer_.asked.empty()) next_->asked = {answer_.asked, decision_.route, agent_->name};
  if (answer_.game_state) {
    const bool goes_on = !answer_.game_state->is_null();
    next_->game = goes_on ? agent_->name : "";
    next_->game_route = goes_on ? decision_.route : "";
    next_->game_state = std::move(*answer_.game_state);
  }
  if (answer_.text.empty()) return fall_back(answer_.error);
  reply(answer_.text, answer_.by_model);
}

// Nothing else can answer: the flow's fallback, and the last resort, a sentence of ours.
void Turn::fall_back(const Error& error) {
  if (request_is_over()) return cancel();
  const FallbackConfig& fallback = parts_.config.fallback;
  note("fallback", Json{{"code", name_of(error.code)}, {"reason", error.message}});
  const bool later = error.code == Code::kUnavailable || error.code == Code::kOverloaded;
  const bool last = static_cast<std::int32_t>(delivery_.attempt) >= parts_.attempts_max;
  if (later && !last && fallback.to.empty() && fallback.text.empty()) {
    const std::int64_t delay_ms = std::min<std::int64_t>(1'000LL << delivery_.attempt, 60'000);
    return hand_back(delay_ms, true, error.message);
  }
  parts_.metrics.fallbacks.add();
  if (fallback.to.starts_with("agent.") && !in_fallback_) {
    in_fallback_ = true;
    return run_agent(*parts_.config.agent(fallback.to.substr(6)));
  }
  const std::string& text = fallback.text.in(language_);
  if (!fallback.to.empty() && !fallback.to.starts_with("agent.")) {
    return hand_over(fallback.to, text, true);
  }
  if (!text.empty()) return reply(text, false);
  reply(error.code == Code::kPrecondition && !answer_.spent.empty() ? spent_text(answer_.spent)
        : error.code == Code::kDeadline                             ? spent_text("wall")
                                        : tr(language_, Text::kFlowNoAnswer),
        false);
}

void Turn::say_goodbye(const char* reason) {
  decision_ = {};
  decision_.route = "end";
  decision_.tier = "end";
  decision_.reason = std::string(reason) + "=" + parts_.config.end.intent.value_or("") + " score " +
                     two_places(seen_.intents.empty() ? 0 : seen_.intents[0].score);
  note_decision();
  next_->state = Conversation::State::kEnded;
  reply(parts_.config.end.text.in(language_), false);
}

// Completes the text: what every answer of this kind carries.
void Turn::reply(std::string text, bool by_model) {
  if (answer_.input_read > 0 && by_model) {
    text += "\n" + tr(language_, Text::kFlowInputCut, {std::to_string(answer_.input_read)});
  }
  if (by_model && agent_ != nullptr && agent_->label) text += parts_.config.label.in(language_);
  const EndConfig& end = parts_.config.end;
  const bool spent = end.turns > 0 && next_->turns >= end.turns;
  if (spent && next_->state == Conversation::State::kOpen) {
    next_->state = Conversation::State::kEnded;
    if (!end.text.empty()) text += "\n" + end.text.in(language_);
  }
  reply_ = std::move(text);
  reply_by_model_ = by_model;
  commit("reply");
}

// What was said since the turn began. Where an earlier attempt went on from here, what it took; a
// broker that cannot tell now lets the turn go on, and a lost lease shows at the latest when the
// turn commits.
void Turn::steer(const std::function<void(std::string)>& then) {
  const std::string step = receipts_->next(kSteerKind);
  if (const Json* known = receipts_->taken(step); known != nullptr && known->contains("messages"))
    return take_more(take_joined(ids_in((*known)["messages"])), step, then);
  for (const std::string_view kind : {kSteerKind, kDraftKind, kFilterKind}) {
    if (receipts_->has_later(kind)) return then({});
  }
  if (!joined_.empty()) return take_more(std::exchange(joined_, {}), step, then);
  parts_.broker.join(lease_of(delivery_), 0,
                     on_loop(parts_.executor, shared_from_this(),
                             [step, then](Turn& self, Result<std::vector<StoredMessage>> joined) {
                               if (self.phase_ != Phase::kAnswering) return;
                               if (!joined) return then({});
                               self.take_more(std::move(*joined), step, then);
                             }));
}

void Turn::take_more(std::vector<StoredMessage> more, const std::string& step,
                     const std::function<void(std::string)>& then) {
  if (more.empty()) return then({});
  parts_.metrics.replies_saved.add(more.size());
  stream_.reset("more was said");
  const std::string said = take_followers(more);
  text_ += said;
  next_->remember(entities_of(said, parts_.config.entities));
  Json ids = Json::array();
  for (const StoredMessage& message : more) ids.push_back(message.message.id);
  note("steered", Json{{"messages", ids}});
  if (receipts_->taken(step) == nullptr)
    receipts_->store(step, "", Json{{"messages", std::move(ids)}});
  then(said.substr(1));
}

std::vector<StoredMessage> Turn::take_joined(const std::set<std::string>& ids) {
  std::vector<StoredMessage> taken;
  std::erase_if(joined_, [&](const StoredMessage& one) {
    if (!ids.contains(one.message.id)) return false;
    taken.push_back(one);
    return true;
  });
  return taken;
}

// Nobody waits for the answer to a request past its deadline.
bool Turn::request_is_over() const {
  const Message& asked = delivery_.message;
  return asked.reply_to.starts_with(kInboxPrefix) && asked.deadline_ms > 0 &&
         parts_.clock.wall_ms() + kRequestEndMs >= asked.deadline_ms;
}

void Turn::wall_is_over() {
  if (phase_ != Phase::kUnderstanding && phase_ != Phase::kAnswering) return;
  if (request_is_over()) return cancel();
  if (run_) run_->cancel();
  phase_ = Phase::kAnswering;
  note("budget", Json{{"spent", "wall"}});
  receipts_->keep(std::string(kEndStep), "", Json{{"by", "wall"}});
  stream_.reset("the turn's time is over");
  if (auto plain = run_ ? run_->plain() : std::nullopt) {
    answer_.filter = "template";
    return reply(std::move(*plain), false);
  }
  fall_back({Code::kDeadline, "the turn's time is over"});
}

}  // namespace qiao::flow
