// SPDX-License-Identifier: Apache-2.0
// Live subscriptions, reading back, request-reply.
#include <algorithm>

#include "base/logging.h"
#include "broker/broker_impl.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::size_t kCatchUpStep = 256;  // messages per task, so that the loop stays free
constexpr std::int64_t kRequestMsMax = 10 * 60 * 1'000;
constexpr std::size_t kRequestsMax = 10'000;

}  // namespace

void Broker::Impl::subscribe(SubscriptionId id, std::string pattern,
                             std::optional<std::uint64_t> from, Sink sink) {
  if (const Status valid = validate_pattern(pattern); !valid)
    return log_warn("broker", "a subscription was refused: " + valid.error().message);
  Subscription& subscription = subscriptions_[id];
  subscription.pattern = std::move(pattern);
  subscription.sink = std::move(sink);
  subscription.next = from.value_or(durable_);
  subscription_tree_.insert(subscription.pattern, &subscription);
  catch_up(id);
}

void Broker::Impl::unsubscribe(SubscriptionId id) {
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) return;
  subscription_tree_.erase(found->second.pattern, &found->second);
  subscriptions_.erase(found);
}

// Sends what is kept in steps, and passes over nothing that a crash could bring back; the step that
// reaches the durable end makes the subscription live.
void Broker::Impl::catch_up(SubscriptionId id) {
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) return;
  Subscription& subscription = found->second;
  if (awaits_removal(subscription.pattern, subscription.next)) {
    return when_durable([weak = weak_from_this(), id](const Status& status) {
      const auto self = weak.lock();
      if (self && status) self->catch_up(id);
    });
  }
  const std::vector<std::uint64_t> offsets =
      state_.find(subscription.pattern, subscription.next, kCatchUpStep);
  for (const std::uint64_t offset : offsets) {
    if (offset >= durable_) break;
    subscription.next = offset + 1;
    if (const auto message = body(offset)) {
      subscription.sink({offset, **message});
    } else {
      log_error("broker", "a kept message cannot be read: " + message.error().message);
    }
  }
  if (offsets.size() < kCatchUpStep || offsets.back() >= durable_) {
    subscription.next = std::max(subscription.next, durable_);
    subscription.live = true;
    return;
  }
  loop_.post_after(0, [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->catch_up(id);
  });
}

void Broker::Impl::release_message(std::uint64_t offset, const Message& message) {
  if (message.subject.starts_with(kInboxPrefix)) return answer_request(message);
  if (!joiners_.empty()) answer_joiners(message);
  subscription_tree_.match(message.subject, [&](Subscription* subscription) {
    if (!subscription->live || offset < subscription->next) return;
    subscription->next = offset + 1;
    subscription->sink({offset, message});
  });
}

void Broker::Impl::request(Message message, std::int64_t timeout_ms, Done<Message> done) {
  if (const Status valid = validate_subject(message.subject); !valid) return done(valid.error());
  if (!state_.any_group_matches(message.subject) && !subscription_tree_.any(message.subject))
    return done(not_found("no responder: nobody consumes '" + message.subject + "'"));
  if (requests_.size() >= kRequestsMax) {
    overloaded_count_.add();
    return done(overloaded("too many requests wait for answers"));
  }
  const std::int64_t wait_ms = std::clamp<std::int64_t>(timeout_ms, 1, kRequestMsMax);
  const std::string inbox = std::string(kInboxPrefix) + ids_.next();
  message.reply_to = inbox;
  if (message.deadline_ms == 0) message.deadline_ms = clock_.wall_ms() + wait_ms;
  const auto timer = loop_.post_after(wait_ms, [weak = weak_from_this(), inbox, wait_ms] {
    Error late{Code::kDeadline, "no answer within " + std::to_string(wait_ms) + " ms"};
    if (const auto self = weak.lock()) self->abandon_request(inbox, std::move(late));
  });
  if (message.id.empty()) message.id = ids_.next();
  request_inboxes_.emplace(message.id, inbox);
  requests_.emplace(inbox, Request{message.id, std::move(done), timer});
  commit({{std::move(message)}, {}, {}},
         [this, inbox](const Result<std::vector<Published>>& published) {
           if (!published) return end_request(inbox, published.error());
           if (published->front().duplicate) {
             end_request(inbox, Error{Code::kAlreadyExists,
                                      "a request with this id was made before: give it a new id"});
           }
         });
}

// A late or second answer finds no request: nobody reads it.
void Broker::Impl::answer_request(const Message& message) {
  if (!requests_.contains(message.subject)) return late_reply_count_.add();
  end_request(message.subject, message);
}

void Broker::Impl::cancel_request(const std::string& message_id) {
  const auto found = request_inboxes_.find(message_id);
  if (found == request_inboxes_.end()) return;
  const std::string inbox = found->second;
  abandon_request(inbox, Error{Code::kCancelled, "the one who asked went away"});
}

void Broker::Impl::abandon_request(const std::string& inbox, Error reason) {
  const auto found = requests_.find(inbox);
  if (found == requests_.end()) return;
  const std::string message_id = found->second.message_id;
  end_request(inbox, std::move(reason));
  if (abandoned_) abandoned_(message_id);
}

void Broker::Impl::end_request(const std::string& inbox, Result<Message> result) {
  const auto found = requests_.find(inbox);
  if (found == requests_.end()) return;
  const Request request = std::move(found->second);
  requests_.erase(found);
  const auto known = request_inboxes_.find(request.message_id);
  if (known != request_inboxes_.end() && known->second == inbox) request_inboxes_.erase(known);
  loop_.cancel(request.timer);
  request.done(std::move(result));
}

// A page that passes over what was removed leaves when the removal is durable: a crash could bring
// that back, and who has read on would never see it.
void Broker::Impl::read(const std::string& pattern, std::uint64_t from, std::size_t limit,
                        const Done<Page>& done) {
  if (Status valid = validate_pattern(pattern); !valid) return done(std::move(valid.error()));
  Page page;
  page.next = from;
  limit = std::clamp<std::size_t>(limit, 1, options_.read_limit_max);
  for (const std::uint64_t offset : state_.find(pattern, from, limit)) {
    if (offset >= durable_) break;
    const Result<MessagePtr> message = body(offset);
    if (!message) return done(message.error());
    page.messages.push_back({offset, **message});
    page.next = offset + 1;
  }
  if (!awaits_removal(pattern, from)) return done(std::move(page));
  if (failed_) return done(*failed_);
  when_durable([done, page = std::move(page)](Status status) mutable {
    status ? done(std::move(page)) : done(std::move(status.error()));
  });
}

void Broker::Impl::topics(const Done<std::vector<TopicInfo>>& done) {
  std::vector<TopicInfo> out;
  for (const auto& [subject, list] : state_.topics()) {
    const TopicSpec* spec = state_.topic_specs().find(subject);
    out.push_back({subject, list.count(), list.first(), list.last(), list.bytes(),
                   spec == nullptr ? "" : spec->pattern});
  }
  done(std::move(out));
}

}  // namespace qiao
