// SPDX-License-Identifier: Apache-2.0
// Live subscriptions, reading back, request-reply.
#include <algorithm>

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
  Subscription& subscription = subscriptions_[id];
  subscription.pattern = std::move(pattern);
  subscription.sink = std::move(sink);
  subscription.next = from.value_or(durable_);
  catch_up(id);
}

void Broker::Impl::unsubscribe(SubscriptionId id) {
  subscriptions_.erase(id);
}

// Sends what is kept in steps; the step that reaches the durable end makes the subscription live.
void Broker::Impl::catch_up(SubscriptionId id) {
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) return;
  const std::uint64_t from = found->second.next;
  const std::vector<std::uint64_t> offsets = state_.find(found->second.pattern, from, kCatchUpStep);
  for (const std::uint64_t offset : offsets) {
    if (offset >= durable_) break;
    found->second.next = offset + 1;
    if (const auto message = body(offset)) found->second.sink({offset, **message});
    if (subscriptions_.find(id) == subscriptions_.end()) return;
  }
  const bool more = offsets.size() == kCatchUpStep && offsets.back() < durable_;
  if (!more) {
    found->second.next = std::max(found->second.next, durable_);
    found->second.live = true;
    return;
  }
  const Status posted = loop_.post([self = shared_from_this(), id] { self->catch_up(id); });
  if (!posted) subscriptions_.erase(id);
}

void Broker::Impl::send_live(std::uint64_t offset, const Message& message) {
  for (auto& [id, subscription] : subscriptions_) {
    if (!subscription.live || offset < subscription.next ||
        !matches(subscription.pattern, message.subject))
      continue;
    subscription.next = offset + 1;
    subscription.sink({offset, message});
  }
}

void Broker::Impl::request(Message message, std::int64_t timeout_ms, Done<Message> done) {
  if (Status valid = validate_subject(message.subject); !valid)
    return done(std::move(valid.error()));
  const bool heard =
      state_.any_group_matches(message.subject) ||
      std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const auto& entry) {
        return matches(entry.second.pattern, message.subject);
      });
  if (!heard) return done(not_found("no responder: nobody consumes '" + message.subject + "'"));
  if (requests_.size() >= kRequestsMax)
    return done(overloaded("too many requests wait for answers"));
  const std::int64_t wait_ms = std::clamp<std::int64_t>(timeout_ms, 1, kRequestMsMax);
  const std::string inbox = std::string(kInboxPrefix) + ids_.next();
  message.reply_to = inbox;
  if (message.deadline_ms == 0) message.deadline_ms = clock_.wall_ms() + wait_ms;
  const auto timer = loop_.post_after(wait_ms, [self = shared_from_this(), inbox, wait_ms] {
    const auto found = self->requests_.find(inbox);
    if (found == self->requests_.end()) return;
    const Done<Message> tell = std::move(found->second.done);
    self->requests_.erase(found);
    tell(Error{Code::kDeadline, "no answer within " + std::to_string(wait_ms) + " ms"});
  });
  requests_.emplace(inbox, Request{std::move(done), timer});
  commit({{std::move(message)}, {}, {}},
         [this, inbox](const Result<std::vector<Published>>& published) {
           if (published) return;
           const auto found = requests_.find(inbox);
           if (found == requests_.end()) return;
           const Request failed = std::move(found->second);
           requests_.erase(found);
           loop_.cancel(failed.timer);
           failed.done(published.error());
         });
}

// A late or second answer finds no request and is only stored.
void Broker::Impl::answer_request(const Message& message) {
  const auto found = requests_.find(message.subject);
  if (found == requests_.end()) return;
  const Request request = std::move(found->second);
  requests_.erase(found);
  loop_.cancel(request.timer);
  request.done(message);
}

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
  done(std::move(page));
}

void Broker::Impl::topics(const Done<std::vector<TopicInfo>>& done) {
  std::vector<TopicInfo> out;
  for (const auto& [subject, topic] : state_.topics())
    out.push_back({subject, topic.messages, topic.first, topic.last});
  done(std::move(out));
}

}  // namespace qiao
