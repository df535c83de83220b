// SPDX-License-Identifier: Apache-2.0
// From a leased message to its turn.
#include "base/logging.h"
#include "flow/engine_impl.h"
#include "flow/loop.h"
#include "flow/turn/memory_rebuild.h"
#include "flow/turn/turn_receipts.h"

namespace qiao {
namespace {

constexpr std::size_t kSeedBytesMax = 64 << 10;

// A message without a conversation is one of its own.
std::string conversation_of(const Message& message) {
  return message.conversation.empty() ? message.id : message.conversation;
}

// What a stateless client (an OpenAI one) said before: header x-history, a JSON list of
// { role, content }. Only a conversation that begins takes it.
void seed_history(const Message& message, Conversation& conversation) {
  const auto header = message.headers.find("x-history");
  if (header == message.headers.end() || header->second.size() > kSeedBytesMax) return;
  const auto json = parse_json(header->second);
  if (!json || !json->is_array()) return;
  for (const Json& turn : *json) {
    const auto role = json_string(turn, "role");
    const auto content = json_string(turn, "content");
    if (!role || !content || (*role != "user" && *role != "assistant")) continue;
    conversation.remember(RememberedMessage{"", *role == "user", *content});
  }
}

}  // namespace

void FlowEngine::Impl::when_free(const std::string& conversation, std::function<void()> work) {
  const auto [entry, fresh] = busy_.try_emplace(conversation);
  if (fresh) return work();
  entry->second.push_back(std::move(work));  // bounded by the messages in work
}

void FlowEngine::Impl::free(const std::string& conversation) {
  const auto found = busy_.find(conversation);
  if (found == busy_.end()) return;
  if (found->second.empty()) {
    busy_.erase(found);
    return;
  }
  const auto next = std::move(found->second.front());
  found->second.pop_front();
  next();
}

void FlowEngine::Impl::with_conversation(const std::string& id, std::uint64_t before,
                                         WithConversation then) {
  if (auto known = store_.find(id)) return then(std::move(known));
  const auto fresh = [this, id, then] {
    auto conversation = std::make_shared<Conversation>();
    conversation->id = id;
    store_.put(conversation);
    then(std::move(conversation));
  };
  if (services_.history == nullptr) return fresh();
  using Loaded = Result<std::shared_ptr<Conversation>>;
  auto done = flow::on_loop(
      services_.executor, shared_from_this(), [then, fresh](Impl& self, Loaded loaded) {
        if (!loaded) {
          log_warn("flow", "a conversation cannot be remembered: " + loaded.error().message);
          return fresh();
        }
        self.store_.put(*loaded);
        then(*loaded);
      });
  const Status submitted = pool_.submit([this, id, before, done](const std::stop_token&) {
    done(flow::rebuild_conversation(*services_.history, config_, id, before));
  });
  if (!submitted) fresh();  // overloaded: better without memory than not at all
}

void FlowEngine::Impl::begin(std::shared_ptr<const Delivery> delivery) {
  const std::string id = conversation_of(delivery->message);
  when_free(id, [this, delivery, id] {
    if (services_.recall) {
      Delivery recalled = *delivery;
      auto conversation = services_.recall(recalled);
      return admit(std::make_shared<const Delivery>(std::move(recalled)), conversation);
    }
    with_conversation(id, delivery->offset,
                      [this, delivery](auto conversation) { admit(delivery, conversation); });
  });
}

void FlowEngine::Impl::admit(const std::shared_ptr<const Delivery>& delivery,
                             const std::shared_ptr<Conversation>& conversation) {
  const std::int64_t idle_ms = config_.end.idle_ms;
  // As an earlier attempt saw it: a turn that waited for somebody goes on where it was.
  const std::int64_t now_ms = flow::began_ms(*delivery).value_or(services_.clock.wall_ms());
  const bool idle =
      idle_ms > 0 && conversation->last_ms > 0 && now_ms - conversation->last_ms > idle_ms;
  if (idle || conversation->state == Conversation::State::kEnded) conversation->reset();
  if (conversation->turns == 0 && conversation->messages.empty()) {
    seed_history(delivery->message, *conversation);
  }
  // Work that has begun is of what was said then.
  const bool begun = !delivery->receipts.empty();
  if (config_.turn.settle_ms > 0 && !begun && !services_.recall)
    return pass_gate(*delivery, conversation);
  run_turn(*delivery, conversation);
}

void FlowEngine::Impl::pass_gate(const Delivery& delivery,
                                 const std::shared_ptr<Conversation>& conversation) {
  const auto gate = std::make_shared<flow::TurnGate>(flow::TurnGate::Parts{
      services_.broker, services_.executor, services_.clock, config_.turn, parts_->completeness});
  gates_[conversation->id] = gate;
  RememberedMessage said{delivery.message.id, true, delivery.message.text()};
  using Passed = Result<flow::TurnGate::Passed>;
  gate->start(delivery, [weak = weak_from_this(), said, conversation](Passed passed) {
    const auto self = weak.lock();
    if (!self) return;
    const auto keep = self->gates_.extract(conversation->id);  // until its own function returned
    if (passed) {
      self->parts_->metrics.gate_seconds.observe(static_cast<double>(passed->delay_ms) / 1e3);
      return self->run_turn(std::move(passed->delivery), conversation);
    }
    if (self->config_.turn.busy == Busy::kInterrupt) conversation->remember(said);  // superseded
    self->message_over(conversation->id);
  });
  const auto told = typing_.extract(conversation->id);
  if (told && told.mapped().told_ms >= delivery.message.time_ms)
    gate->typing(told.mapped().until_ms - services_.clock.wall_ms());
}

void FlowEngine::Impl::run_turn(Delivery delivery, std::shared_ptr<Conversation> conversation) {
  const std::string id = conversation->id;
  const std::uint64_t offset = delivery.offset;
  if (handing_back_) return hand_back(delivery, id);
  auto turn = std::make_shared<flow::Turn>(*parts_, std::move(delivery), std::move(conversation),
                                           [weak = weak_from_this(), id, offset] {
                                             if (const auto self = weak.lock())
                                               self->turn_over(id, offset);
                                           });
  turns_[offset] = turn;
  turn->start();
  leave_early(*turn);
}

// Readers may have gone while their message waited.
void FlowEngine::Impl::leave_early(flow::Turn& turn) {
  for (auto id = left_.begin(); id != left_.end();) {
    const bool found = turn.answers(*id);
    if (found) turn.leave(*id);
    id = found ? left_.erase(id) : std::next(id);
  }
}

void FlowEngine::Impl::turn_over(const std::string& conversation, std::uint64_t offset) {
  const auto found = turns_.find(offset);
  if (found == turns_.end()) return;
  const auto keep = std::move(found->second);  // until its own last function has returned
  turns_.erase(found);
  static_cast<void>(services_.executor.post([keep] {}));
  message_over(conversation);
}

void FlowEngine::Impl::message_over(const std::string& conversation) {
  free(conversation);
  input_->done();
  stop_if_done();
}

void FlowEngine::Impl::hand_back(const Delivery& delivery, const std::string& conversation) {
  services_.broker.nack(lease_of(delivery), 0, false, "the server stops", [](const Status&) {});
  message_over(conversation);
}

}  // namespace qiao
