// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/turn.h"

#include <algorithm>
#include <map>
#include <set>

#include "flow/loop.h"
#include "flow/turn/decide.h"
#include "flow/turn/receipt_json.h"
#include "text/language.h"
#include "text/sentences.h"

namespace qiao::flow {

Turn::Turn(Parts& parts, Delivery delivery, std::shared_ptr<Conversation> conversation, Done done)
    : parts_(parts),
      delivery_(std::move(delivery)),
      conversation_(std::move(conversation)),
      next_(std::make_shared<Conversation>(*conversation_)),
      done_(std::move(done)),
      stream_(parts.streams, delivery_.message.id),
      receipts_(
          std::make_shared<TurnReceipts>(parts.broker, parts.executor, delivery_, parts.recorded)),
      lease_(std::make_shared<LeaseKeeper>(
          LeaseKeeper::Places{parts.broker, parts.executor, parts.clock}, lease_of(delivery_),
          parts.lease_ms, parts.config.turn.busy == Busy::kInterrupt)),
      begin_us_(parts.clock.steady_us()) {
  next_->parked = false;
  const Budget& ours = parts_.config.budget;
  const Message& message = delivery_.message;
  left_ = limits_of(ours, message.budget);
  // Our own wall time runs from now (the message may have waited for the server to start), the
  // sender's from when the message was accepted.
  std::int64_t wall_ms = ours.wall_ms;
  const std::int64_t now_ms = parts_.clock.wall_ms();
  if (message.budget.wall_ms >= 0) {
    wall_ms = std::min(wall_ms, message.time_ms + message.budget.wall_ms - now_ms);
  }
  if (message.deadline_ms > 0) wall_ms = std::min(wall_ms, message.deadline_ms - now_ms);
  deadline_us_ = begin_us_ + std::max<std::int64_t>(wall_ms, 0) * 1'000;

  text_ = message.text();
  const auto begun = began_with(delivery_);
  for (const StoredMessage& follower : delivery_.followers) {
    const bool at_first = !begun || begun->contains(follower.message.id);
    at_first ? static_cast<void>(text_ += take_followers({follower})) : joined_.push_back(follower);
  }
}

// Their text, each on a line of its own. Whoever reads their streams gets the answer too.
std::string Turn::take_followers(const std::vector<StoredMessage>& joined) {
  std::string text;
  for (const StoredMessage& follower : joined) {
    text += "\n" + follower.message.text();
    stream_.also(follower.message.id);
    followers_.push_back(follower.message);
  }
  return text;
}

void Turn::start() {
  const auto self = shared_from_this();
  lease_->start([weak = weak_from_this()] {
    if (const auto turn = weak.lock()) turn->lease_is_lost();
  });
  receipts_->when_lost([weak = weak_from_this()] {
    if (const auto turn = weak.lock()) turn->lease_is_lost();
  });
  wall_timer_ =
      parts_.executor.post_after((deadline_us_ - begin_us_) / 1'000, [weak = weak_from_this()] {
        if (const auto turn = weak.lock()) turn->wall_is_over();
      });
  next_->last_ms = parts_.clock.wall_ms();
  ++next_->turns;
  Json merged = Json::array();
  for (const Message& follower : followers_) merged.push_back(follower.id);
  parts_.metrics.replies_saved.add(followers_.size());
  if (!followers_.empty()) parts_.metrics.fragments_merged.add(followers_.size() + 1);
  note("turn", Json{{"turn", next_->turns}, {"attempt", delivery_.attempt}, {"merged", merged}});
  if (left_.hops == 0 || left_.messages == 0) {  // a reply would go round once more
    const auto give_up = [limit = left_.hops == 0 ? "hops" : "messages"](Turn& turn) {
      if (turn.phase_ != Phase::kUnderstanding) return;
      turn.give_up(limit,
                   std::string("the message may cause no other: its ") + limit + " are spent");
    };
    on_loop(parts_.executor, self, give_up)();  // not in the middle of being started
    return;
  }
  understand();
}

// What an earlier attempt understood of the same text.
bool Turn::take_understanding() {
  const Json* known = receipts_->taken(std::string(kDecisionStep), digest_of(text_));
  if (known == nullptr || !known->contains("seen") || !known->contains("hits")) return false;
  auto hits = hits_from_receipt((*known)["hits"], parts_.config.knowledge);
  if (!hits) return false;
  hits_ = std::move(*hits);
  seen_ = annotations_from_receipt((*known)["seen"]);
  return true;
}

// A replay has come to where its record ends: so did the turn, or it asks something else now.
void Turn::record_ends(const std::string& step) {
  const Json* end = receipts_->taken(std::string(kEndStep));
  const std::string by = end == nullptr ? "" : json_string(*end, "by").value_or("");
  if (by == "wall") return wall_is_over();
  if (by == "cancel") return cancel();
  if (run_) run_->cancel();
  note("replay", Json{{"missing", step}});
  commit("missing");
}

void Turn::understand() {
  if (take_understanding()) {
    awaited_ = 1;
    return understood();
  }
  if (parts_.recorded) return record_ends(std::string(kDecisionStep));
  std::string start_of_text = cut_utf8(text_, kUnderstoodBytesMax);
  awaited_ = parts_.knowledge ? 2 : 1;
  if (parts_.knowledge) {
    parts_.knowledge->find(start_of_text, on_loop(parts_.executor, shared_from_this(),
                                                  [](Turn& self, std::vector<KnowledgeHit> hits) {
                                                    self.hits_ = std::move(hits);
                                                    self.understood();
                                                  }));
  }
  parts_.understander->annotate(
      {std::move(start_of_text), delivery_.message.id},
      on_loop(parts_.executor, shared_from_this(), [](Turn& self, Annotations seen) {
        self.seen_ = std::move(seen);
        self.understood();
      }));
}

void Turn::understood() {
  if (--awaited_ > 0 || phase_ != Phase::kUnderstanding) return;
  phase_ = Phase::kAnswering;
  // A word like "ok" or a number says nothing: the conversation's language stays.
  const auto clear = seen_.language ? seen_.language : detect_language(text_);
  language_ = clear.value_or(next_->language);
  next_->language = language_;
  next_->remember(seen_.entities);
  add_facts();
  note("understood", to_json(seen_));

  if (next_->state == Conversation::State::kPerson) return forward_to_person();
  const Message whole = whole_message();
  const DecideInput input{parts_.config, whole, seen_, hits_};
  if (wants_to_end(input)) return say_goodbye("intent");
  decision_ = decide(input, *next_);
  note_decision();
  act();
}

// What rules may ask for beside the annotations (docs/reference/flow.md).
void Turn::add_facts() {
  seen_.facts["turn"] = std::to_string(next_->turns);
  seen_.facts["repeated"] = std::to_string(next_->unknown + 1);
  seen_.facts["person"] = next_->state == Conversation::State::kPerson ? "1" : "0";
  seen_.facts["game"] = next_->game;
  seen_.facts["words"] = std::to_string(count_words(text_));
  std::map<std::string, std::set<std::string>> values;
  for (const Entity& entity : seen_.entities) values[entity.kind].insert(entity.value);
  for (const auto& [kind, different] : values) {
    seen_.facts[kind + "s"] = std::to_string(different.size());
  }
}

// The burst as one message.
Message Turn::whole_message() const {
  Message whole = delivery_.message;
  if (!followers_.empty()) whole.parts = {Part{Part::Kind::kText, "", text_}};
  return whole;
}

void Turn::note_decision() {
  if (!hits_.empty()) {
    Json hits = Json::array();
    for (const KnowledgeHit& hit : hits_) {
      hits.push_back({{"id", hit.entry->id},
                      {"score", hit.score},
                      {"question", hit.question},
                      {"alike", hit.alike}});
    }
    note("knowledge", Json{{"hits", hits}, {"certain", decision_.to == "knowledge"}});
  }
  Json decision = to_json(decision_);
  if (decision_.to.starts_with("agent.")) decision["agent"] = decision_.to.substr(6);
  decision["out_of_scope"] = decision_.out_of_scope;
  note("decision", std::move(decision));
  keep_decision();
}

// Not waited for: models may be asked before it is durable, tools may not.
void Turn::keep_decision() {
  const std::string step(kDecisionStep);
  const std::string asked = digest_of(text_);
  if (receipts_->taken(step, asked) != nullptr) return;
  Json merged = Json::array();
  for (const Message& follower : followers_) merged.push_back(follower.id);
  receipts_->store(step, asked,
                   Json{{"now_ms", next_->last_ms},
                        {"merged", std::move(merged)},
                        {"seen", to_json(seen_)},
                        {"hits", receipt_json(hits_)},
                        {"decision", to_json(decision_)}});
}

void Turn::act() {
  if (decision_.to == "knowledge" && decision_.tier == "knowledge") return answer_from_knowledge();
  if (decision_.to.empty()) return fall_back(not_found("no route takes the message"));
  if (!decision_.to.starts_with("agent.")) {
    const auto hold = parts_.config.holds.find(decision_.route);
    const bool holds = hold == parts_.config.holds.end() || hold->second;
    return hand_over(decision_.to, parts_.config.fallback.text.in(language_), holds);
  }
  const AgentConfig* agent = parts_.config.agent(decision_.to.substr(6));
  if (agent == nullptr) return fall_back(not_found("there is no " + decision_.to));
  if (agent->knowledge_only && hits_.empty()) {
    return fall_back(
        not_found(decision_.to + " answers from knowledge alone, and none is related"));
  }
  run_agent(*agent);
}

}  // namespace qiao::flow
