// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/broker.h"
#include "broker/state.h"

namespace qiao {

// The driver behind Broker: turns calls into records, appends them, applies them in log order, and
// lets results out when they are durable. Everything below `loop` in this class is the loop's own.
class Broker::Impl : public std::enable_shared_from_this<Broker::Impl> {
 public:
  Impl(Log& log, Executor& loop, const Clock& clock, IdMaker& ids, Metrics& metrics,
       BrokerOptions options);

  Status recover();
  // Runs `work` on the loop, many calls per posted task; `refuse` gets the Error when it cannot.
  void submit(std::function<void()> work, const std::function<void(Error)>& refuse);
  void stop();

  void commit(Commit commit, Done<std::vector<Published>> done);
  void create_group(GroupSpec spec, Done<void> done);
  void delete_group(const std::string& group, Done<void> done);
  void lease(const std::string& group, std::string consumer, std::size_t count,
             std::int64_t wait_ms, Done<std::vector<Delivery>> done);
  void cancel_wait(const std::string& group, const std::string& consumer);
  void nack(const LeaseRef& lease, std::int64_t delay_ms, bool counts, std::string reason,
            Done<void> done);
  void extend(const LeaseRef& lease, std::int64_t lease_ms, Done<std::int64_t> done);
  void subscribe(SubscriptionId id, std::string pattern, std::optional<std::uint64_t> from,
                 Sink sink);
  void unsubscribe(SubscriptionId id);
  void request(Message message, std::int64_t timeout_ms, Done<Message> done);
  void read(const std::string& pattern, std::uint64_t from, std::size_t limit,
            const Done<Page>& done);
  void topics(const Done<std::vector<TopicInfo>>& done);
  void groups(const Done<std::vector<GroupInfo>>& done);
  void snapshot(Done<void> done);
  SubscriptionId next_subscription() { return ++last_subscription_; }

 private:
  using Release = std::function<void(Status)>;
  using MessagePtr = std::shared_ptr<const Message>;

  struct Waiter {
    std::string consumer;
    std::size_t count;
    Done<std::vector<Delivery>> done;
    std::uint64_t id;
  };
  struct Subscription {
    std::string pattern;
    Sink sink;
    std::uint64_t next = 0;  // everything below was sent
    bool live = false;       // follows releases; else catches up from the log
  };
  struct Pending {
    std::uint64_t end;  // released when everything below is durable
    Release release;
  };
  struct Request {
    Done<Message> done;
    Executor::TimerId timer;
  };

  // Encodes, appends and applies `records`; `release` runs when they are durable.
  Status append(std::vector<Record> records, Release release);
  void on_durable(const Status& status);
  void drain_durable();
  void fail(const Error& error);
  void run_submitted();

  Result<std::vector<Record>> records_of(Commit& commit, std::vector<Published>& published,
                                         std::uint64_t& wait_for, std::vector<std::size_t>& fresh);
  Status prepare(Message& message);
  Status check_lease(const LeaseRef& lease);
  void release_message(std::uint64_t offset, const MessagePtr& message);
  void send_live(std::uint64_t offset, const Message& message);
  void answer_request(const Message& message);
  void catch_up(SubscriptionId id);

  void serve(const std::string& group);
  Result<std::vector<Delivery>> take(GroupState& group, const std::string& consumer,
                                     std::size_t count);
  Status give_back(GroupState& group, std::uint64_t offset, std::int64_t retry_at_ms, bool counts,
                   const std::string& reason, bool expired, Release release);
  Result<std::vector<Record>> dead_letter(const GroupState& group, std::uint64_t offset,
                                          const std::string& reason);
  void arm_timer();
  void on_timer();

  Result<MessagePtr> body(std::uint64_t offset);
  void remember_body(std::uint64_t offset, MessagePtr message);
  void maybe_snapshot();

  Log& log_;
  Executor& loop_;
  const Clock& clock_;
  IdMaker& ids_;
  const BrokerOptions options_;

  std::mutex mutex_;  // guards the two below
  std::vector<std::pair<std::function<void()>, std::function<void(Error)>>> submitted_;
  bool stopping_ = false;
  std::atomic<SubscriptionId> last_subscription_{0};
  std::mutex durable_mutex_;  // guards the three below: written on the log's thread
  Status durable_status_;
  bool durable_posted_ = false;
  std::uint64_t durable_seen_ = 0;

  // -- the loop's own
  State state_;
  std::uint64_t durable_ = 0;
  std::uint64_t next_ = 0;
  std::deque<Pending> pending_;
  std::optional<Error> failed_;
  std::map<std::string, std::deque<Waiter>, std::less<>> waiters_;
  std::uint64_t last_waiter_ = 0;
  std::map<SubscriptionId, Subscription> subscriptions_;
  std::unordered_map<std::string, Request> requests_;  // by inbox subject
  std::unordered_map<std::uint64_t, MessagePtr> bodies_;
  std::deque<std::pair<std::uint64_t, std::size_t>> body_order_;
  std::size_t body_bytes_ = 0;
  std::optional<std::pair<Executor::TimerId, std::int64_t>> timer_;  // and when it fires
  std::uint64_t snapshot_at_ = 0;

  Counter& published_count_;
  Counter& duplicate_count_;
  Counter& delivered_count_;
  Counter& acked_count_;
  Counter& nacked_count_;
  Counter& expired_count_;
  Counter& dead_count_;
  Counter& overloaded_count_;
};

}  // namespace qiao
