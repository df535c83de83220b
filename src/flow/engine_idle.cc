// SPDX-License-Identifier: Apache-2.0
// The end of conversations that nobody goes on with.
#include <algorithm>

#include "flow/engine_impl.h"
#include "flow/loop.h"

namespace qiao {
namespace {

constexpr std::int64_t kCheckMsMin = 1'000;
constexpr std::int64_t kCheckMsMax = 60'000;
constexpr std::size_t kEndedAtOnceMax = 100;  // of one check; the next one takes more

}  // namespace

void FlowEngine::Impl::arm_idle() {
  if (config_.end.idle_ms <= 0) return;
  const std::int64_t every = std::clamp(config_.end.idle_ms / 10, kCheckMsMin, kCheckMsMax);
  idle_timer_ = services_.executor.post_after(every, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->stopping_) return;
    self->end_idle();
    self->arm_idle();
  });
}

void FlowEngine::Impl::end_idle() {
  const auto idle = store_.idle_since(services_.clock.wall_ms() - config_.end.idle_ms);
  for (std::size_t i = 0; i < std::min(idle.size(), kEndedAtOnceMax); ++i) {
    if (!busy_.contains(idle[i]->id)) {
      when_free(idle[i]->id, [this, conversation = idle[i]] { say_idle_end(conversation); });
    }
  }
}

void FlowEngine::Impl::say_idle_end(const std::shared_ptr<Conversation>& conversation) {
  auto next = std::make_shared<Conversation>(*conversation);
  next->state = Conversation::State::kEnded;
  Commit commit;
  const std::string& text = config_.end.text.in(next->language);
  if (!text.empty()) {
    Message message = text_message(config_.output, text, next->id);
    message.source = "flow/" + config_.name;
    message.headers["x-flow"] = config_.name;
    message.headers["x-route"] = "end";
    commit.publish.push_back(std::move(message));
  }
  record::Event event;
  event.time_ms = services_.clock.wall_ms();
  event.conversation = next->id;
  event.type = "conversation";
  event.data = to_json(*next);
  event.data["reason"] = "idle";
  commit.events.push_back(std::move(event));
  services_.broker.commit(
      std::move(commit),
      flow::on_loop(services_.executor, shared_from_this(),
                    [conversation, next](Impl& self, Result<std::vector<Published>> done) {
                      if (done) *conversation = *next;  // else the next check tries again
                      self.free(conversation->id);
                    }));
}

}  // namespace qiao
