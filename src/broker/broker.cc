// SPDX-License-Identifier: Apache-2.0
#include "broker/broker.h"

#include "broker/broker_impl.h"

namespace qiao {
namespace {

// For those who only want to know whether it was done.
Broker::Done<std::vector<Published>> without_value(Broker::Done<void> done) {
  return [done = std::move(done)](Result<std::vector<Published>> result) {
    done(result ? Status() : Status(std::move(result.error())));
  };
}

}  // namespace

Result<std::unique_ptr<Broker>> Broker::open(Log& log, Executor& loop, const Clock& clock,
                                             IdMaker& ids, Metrics& metrics,
                                             BrokerOptions options) {
  auto impl = std::make_shared<Impl>(log, loop, clock, ids, metrics, options);
  QIAO_TRY(impl->recover());
  return std::unique_ptr<Broker>(new Broker(std::move(impl)));
}

Broker::Broker(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Broker::~Broker() = default;

// Each call becomes a task of the loop; `done` hears of it when the loop cannot take it.
#define QIAO_SUBMIT_AS(bound, call)                           \
  impl_->submit(                                              \
      [=, impl = impl_.get()](const Error* refused) mutable { \
        if (refused != nullptr) return done(*refused);        \
        impl->call;                                           \
      },                                                      \
      bound)
#define QIAO_SUBMIT(call) QIAO_SUBMIT_AS(Impl::Bound::kCounted, call)
// Goes on when the log has failed.
#define QIAO_SUBMIT_READ(call) QIAO_SUBMIT_AS(Impl::Bound::kReads, call)

void Broker::publish(std::vector<Message> messages, Done<std::vector<Published>> done) {
  commit(Commit{std::move(messages), {}, {}}, std::move(done));
}

void Broker::commit(Commit commit, Done<std::vector<Published>> done) {
  impl_->submit([impl = impl_.get(), commit = std::move(commit),
                 done = std::move(done)](const Error* refused) mutable {
    refused != nullptr ? done(*refused) : impl->commit(std::move(commit), done);
  });
}

void Broker::set_topic(TopicSpec spec, Done<void> done) {
  QIAO_SUBMIT(set_topic(std::move(spec), done));
}
void Broker::erase_topic_settings(std::string pattern, Done<void> done) {
  QIAO_SUBMIT(erase_topic_settings(pattern, done));
}
void Broker::settings_of(std::string pattern, Done<TopicSpec> done) {
  QIAO_SUBMIT_READ(settings_of(pattern, done));
}
void Broker::topic_settings(Done<std::vector<TopicSpec>> done) {
  QIAO_SUBMIT_READ(topic_settings(done));
}

void Broker::create_group(GroupSpec spec, Done<void> done) {
  QIAO_SUBMIT(create_group(std::move(spec), done));
}
void Broker::delete_group(std::string group, Done<void> done) {
  QIAO_SUBMIT(delete_group(group, done));
}

void Broker::lease(std::string group, std::string consumer, std::size_t count, std::int64_t wait_ms,
                   Done<std::vector<Delivery>> done) {
  lease(std::move(group), LeaseWish{std::move(consumer), count, wait_ms}, std::move(done));
}
void Broker::lease(std::string group, LeaseWish wish, Done<std::vector<Delivery>> done) {
  QIAO_SUBMIT(lease(group, std::move(wish), std::move(done)));
}

void Broker::cancel_wait(std::string group, std::string consumer) {
  impl_->submit(
      [=, impl = impl_.get()](const Error* refused) {
        if (refused == nullptr) impl->cancel_wait(group, consumer);
      },
      Impl::Bound::kAlways);
}

void Broker::ack(std::vector<LeaseRef> leases, Done<void> done) {
  commit(Commit{{}, std::move(leases), {}}, without_value(std::move(done)));
}

void Broker::nack(LeaseRef lease, std::int64_t delay_ms, bool counts, std::string reason,
                  Done<void> done) {
  nack(std::move(lease), Failure{delay_ms, counts, std::move(reason)}, std::move(done));
}
void Broker::nack(LeaseRef lease, Failure failure, Done<void> done) {
  QIAO_SUBMIT(nack(lease, failure, done));
}

void Broker::extend(LeaseRef lease, std::int64_t lease_ms, Done<std::int64_t> done) {
  QIAO_SUBMIT(extend(lease, lease_ms, done));
}

void Broker::join(LeaseRef lease, std::int64_t wait_ms, Done<std::vector<StoredMessage>> done) {
  join(std::move(lease), JoinWish{wait_ms}, std::move(done));
}
void Broker::join(LeaseRef lease, JoinWish wish, Done<std::vector<StoredMessage>> done) {
  QIAO_SUBMIT(join(std::move(lease), wish, std::move(done)));
}

void Broker::store_receipts(LeaseRef lease, std::vector<StepReceipt> receipts, Done<void> done) {
  Commit storing;
  for (StepReceipt& receipt : receipts) storing.receipts.push_back({lease, std::move(receipt)});
  commit(std::move(storing), without_value(std::move(done)));
}

void Broker::park(LeaseRef lease, std::int64_t until_ms, std::string reason, Done<void> done) {
  Commit parking;
  parking.park.push_back({std::move(lease), until_ms, std::move(reason)});
  commit(std::move(parking), without_value(std::move(done)));
}
void Broker::wake(std::string group, std::uint64_t offset, Done<void> done) {
  Commit waking;
  waking.wake.push_back({std::move(group), offset});
  commit(std::move(waking), without_value(std::move(done)));
}
void Broker::parked(std::string group, Done<std::vector<ParkedMessage>> done) {
  QIAO_SUBMIT(parked(group, done));
}

void Broker::retry_letter(std::uint64_t offset, std::vector<Part> parts, Done<Published> done) {
  QIAO_SUBMIT(retry_letter(offset, std::move(parts), done));
}
void Broker::drop_letter(std::uint64_t offset, std::string reason, Done<void> done) {
  QIAO_SUBMIT(drop_letter(offset, reason, done));
}

Broker::SubscriptionId Broker::subscribe(std::string pattern, std::optional<std::uint64_t> from,
                                         Sink sink) {
  const SubscriptionId id = impl_->next_subscription();
  impl_->submit(
      [=, impl = impl_.get()](const Error* refused) mutable {
        if (refused == nullptr) impl->subscribe(id, std::move(pattern), from, std::move(sink));
      },
      Impl::Bound::kAlways);
  return id;
}

void Broker::unsubscribe(SubscriptionId subscription) {
  impl_->submit(
      [=, impl = impl_.get()](const Error* refused) {
        if (refused == nullptr) impl->unsubscribe(subscription);
      },
      Impl::Bound::kAlways);
}

void Broker::request(Message message, std::int64_t timeout_ms, Done<Message> done) {
  QIAO_SUBMIT(request(std::move(message), timeout_ms, std::move(done)));
}

void Broker::cancel_request(std::string message_id) {
  impl_->submit(
      [impl = impl_.get(), message_id = std::move(message_id)](const Error* refused) {
        if (refused == nullptr) impl->cancel_request(message_id);
      },
      Impl::Bound::kAlways);
}

void Broker::when_abandoned(std::function<void(const std::string&)> abandoned) {
  impl_->when_abandoned(std::move(abandoned));
}

void Broker::open_stream(std::string stream, Done<std::uint32_t> done) {
  QIAO_SUBMIT(open_stream(stream, done));
}
void Broker::append_chunks(std::vector<record::Chunk> chunks, Done<void> done) {
  QIAO_SUBMIT(append_chunks(std::move(chunks), done));
}
void Broker::read_stream(std::string stream, Done<StoredStream> done) {
  QIAO_SUBMIT(read_stream(stream, done));
}

void Broker::read(std::string pattern, std::uint64_t from, std::size_t limit, Done<Page> done) {
  QIAO_SUBMIT_READ(read(pattern, from, limit, done));
}

void Broker::topics(Done<std::vector<TopicInfo>> done) {
  QIAO_SUBMIT_READ(topics(done));
}
void Broker::groups(Done<std::vector<GroupInfo>> done) {
  QIAO_SUBMIT_READ(groups(done));
}
void Broker::snapshot(Done<void> done) {
  QIAO_SUBMIT(snapshot(done));
}
std::optional<Error> Broker::failure() const {
  return impl_->failure();
}

void Broker::stop() {
  impl_->stop();
}
void Broker::stop(std::function<void()> stopped) {
  impl_->stop(std::move(stopped));
}

}  // namespace qiao
