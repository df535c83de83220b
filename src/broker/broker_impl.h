// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "broker/body_cache.h"
#include "broker/broker.h"
#include "broker/state.h"
#include "broker/timeline.h"

namespace qiao {

// The driver behind Broker: turns calls into records, appends them, applies them in log order, and
// lets results out when they are durable. Made by open(), held by Broker; tasks and timers hold it
// weakly. Everything below "the loop's own" is touched on the loop alone, without locks.
class Broker::Impl : public std::enable_shared_from_this<Broker::Impl> {
 public:
  // A call on its way to the loop: runs there with nullptr, or with the Error that refuses it.
  using Call = std::function<void(const Error* refused)>;
  // kReads: counted too, and goes on when the log has failed. kAlways: ends something, and must not
  // be lost.
  enum class Bound { kCounted, kReads, kAlways };

  Impl(Log& log, Executor& loop, const Clock& clock, IdMaker& ids, Metrics& metrics,
       BrokerOptions options);
  ~Impl();

  Status recover();
  void submit(Call call, Bound bound = Bound::kCounted);
  [[nodiscard]] std::optional<Error> failure() const;
  void stop();
  void stop(std::function<void()> stopped);
  SubscriptionId next_subscription() { return ++last_subscription_; }

  void refuse(const Error& error, const Done<std::vector<Published>>& done);
  void commit(Commit commit, const Done<std::vector<Published>>& done);
  void set_topic(TopicSpec spec, const Done<void>& done);
  void erase_topic_settings(const std::string& pattern, const Done<void>& done);
  void settings_of(const std::string& pattern, const Done<TopicSpec>& done);
  void topic_settings(const Done<std::vector<TopicSpec>>& done);
  void create_group(GroupSpec spec, const Done<void>& done);
  void delete_group(const std::string& name, const Done<void>& done);
  void lease(const std::string& group, LeaseWish wish, Done<std::vector<Delivery>> done);
  void cancel_wait(const std::string& group, const std::string& consumer);
  void nack(const LeaseRef& lease, const Failure& failure, const Done<void>& done);
  void extend(const LeaseRef& lease, std::int64_t lease_ms, const Done<std::int64_t>& done);
  void join(LeaseRef lease, JoinWish wish, Done<std::vector<StoredMessage>> done);
  void parked(const std::string& group, const Done<std::vector<ParkedMessage>>& done);
  void retry_letter(std::uint64_t offset, std::vector<Part> parts, const Done<Published>& done);
  void drop_letter(std::uint64_t offset, const std::string& reason, const Done<void>& done);
  void subscribe(SubscriptionId id, std::string pattern, std::optional<std::uint64_t> from,
                 Sink sink);
  void unsubscribe(SubscriptionId id);
  void request(Message message, std::int64_t timeout_ms, Done<Message> done);
  void cancel_request(const std::string& message_id);
  void when_abandoned(std::function<void(const std::string&)> abandoned) {
    abandoned_ = std::move(abandoned);
  }
  void open_stream(const std::string& stream, const Done<std::uint32_t>& done);
  void append_chunks(std::vector<record::Chunk> chunks, const Done<void>& done);
  void read_stream(const std::string& stream, const Done<StoredStream>& done);
  void read(const std::string& pattern, std::uint64_t from, std::size_t limit,
            const Done<Page>& done);
  void topics(const Done<std::vector<TopicInfo>>& done);
  void groups(const Done<std::vector<GroupInfo>>& done);
  void snapshot(const Done<void>& done);

 private:
  using Release = std::function<void(Status)>;
  using MessagePtr = BodyCache::MessagePtr;

  // One batch: the messages first, then the other records.
  struct Changes {
    std::vector<MessagePtr> publish;
    std::vector<Record> rest;
  };
  struct Pending {
    std::uint64_t first = 0;  // of publish
    std::uint64_t end = 0;    // released when everything below is durable
    std::vector<MessagePtr> publish;
    Release release;
  };
  struct Waiter {
    LeaseWish wish;
    Done<std::vector<Delivery>> done;
    std::uint64_t id = 0;
    Executor::TimerId timer = 0;
  };
  struct Submitted {
    Call call;
    Bound bound = Bound::kCounted;
  };
  // A holder that waits for what comes behind its leased message.
  struct Joiner {
    Done<std::vector<StoredMessage>> done;
    Executor::TimerId timer = 0;
  };
  using LeaseName = std::pair<std::string, std::uint64_t>;  // group, offset
  // What one consumer gets of what is ready.
  struct Taken {
    std::vector<Delivery> deliveries;
    bool none_ready = false;  // for anybody
  };
  // To be written, and from where on the log is kept when it is.
  struct TakenSnapshot {
    Snapshot snapshot;
    std::uint64_t floor = 0;
  };
  struct Subscription {
    std::string pattern;
    Sink sink;
    std::uint64_t next = 0;  // everything below was sent
    bool live = false;       // follows releases; else catches up from the log
  };
  struct Request {
    std::string message_id;
    Done<Message> done;
    Executor::TimerId timer = 0;
  };

  // Recovery, intake, append and release (broker_impl.cc)
  Status restore_snapshot();
  Status replay(std::uint64_t end);
  Status free_local_leases();
  void post(void (Impl::*task)());
  void run_submitted();
  Result<std::uint64_t> append(Changes changes, Release release);
  void when_durable(Release release);
  void note_removals(std::uint64_t first, const std::vector<Record>& records);
  // Whether a crash could bring back a message of the pattern, at `from` or behind.
  [[nodiscard]] bool awaits_removal(const std::string& pattern, std::uint64_t from) const;
  void on_durable(const Status& status);
  void drain_durable();
  void release_pending();
  void fail(const Error& error);
  void answer_all(const Error& error);
  Result<MessagePtr> body(std::uint64_t offset);
  void maybe_snapshot();
  [[nodiscard]] TakenSnapshot take_snapshot() const;
  static Status save_and_trim(Log& log, const TakenSnapshot& taken);
  void write_snapshot(TakenSnapshot taken, const Done<void>& done);
  bool begin_stop();
  void save_last(const TakenSnapshot& taken);
  void finish(const std::function<void(std::optional<TakenSnapshot>)>& done);

  // Publish and commit (broker_commit.cc)
  Status prepare(Message& message);
  Status check_lease(const LeaseRef& lease);
  Status check_known(const LeaseRef& lease);
  std::optional<std::uint64_t> published_before(const std::string& id);
  Status add_messages(Commit& commit, std::vector<Published>& published, Changes& changes);
  Status check_expected(const Message& message, std::optional<std::uint64_t> expected);
  Status add_leases(Commit& commit, Changes& changes);
  Status add_parks(Commit& commit, Changes& changes);

  Status check_room(const Changes& changes);

  // What messages may still cause (broker_limits.cc)
  Status inherit(const std::vector<Message*>& batch);

  // How topics are kept (broker_topics.cc)
  void arm_keep(std::int64_t delay_ms);
  void keep();

  // Conversations at work (broker_lanes.cc)
  Status apply_busy(Changes& changes, const std::vector<LeaseName>& freed);
  Status supersede(const GroupState& group, std::uint64_t offset, const Message& by,
                   Changes& changes);
  Result<std::vector<StoredMessage>> take_joinable(GroupState& group, std::uint64_t offset,
                                                   std::optional<std::uint64_t> after = {});
  Result<std::vector<StoredMessage>> bodies_of(const std::vector<std::uint64_t>& offsets);
  void answer_joiner(GroupState& group, std::uint64_t offset);
  void answer_joiners(const Message& message);
  void end_joiner(const LeaseName& name, Result<std::vector<StoredMessage>> result);
  void end_joiners(const std::vector<Record>& records);

  // Receipts (broker_receipts.cc)
  Status add_receipts(Commit& commit, Changes& changes);
  Result<std::vector<StepReceipt>> receipts_of(const GroupState& group, std::uint64_t offset);

  // Token streams (broker_streams.cc)
  void add_chunks(std::vector<record::Chunk>& chunks, Changes& changes);
  Result<record::Chunk> chunk_at(std::uint64_t offset);

  // Groups (broker_groups.cc)
  void serve(const std::string& name);
  Result<Taken> take(GroupState& group, const LeaseWish& wish);
  Result<std::vector<Delivery>> choose(GroupState& group, const LeaseWish& wish,
                                       const std::vector<std::uint64_t>& offsets, Changes& changes);
  std::uint64_t next_lease();
  Status lease_it(GroupState& group, const LeaseWish& wish, std::uint64_t offset,
                  const Message& message, std::vector<Delivery>& deliveries, Changes& changes);
  void end_wait(const std::string& group, std::uint64_t waiter);
  Status give_back(GroupState& group, std::uint64_t offset, Record record, const Failure& failure,
                   Release release);
  [[nodiscard]] std::int64_t retry_at(const GroupState& group, std::uint64_t offset,
                                      const Failure& failure);
  void arm_timer(const GroupState& group);
  void on_timer();
  void expire(GroupState& group);

  // Dead letters (broker_dead.cc)
  Result<Changes> give_up(const GroupState& group, std::uint64_t offset, const Failure& failure);
  Status add_letter(const GroupState& group, std::uint64_t offset, std::uint32_t attempts,
                    const Failure& failure, Changes& changes);
  Result<MessagePtr> letter_at(std::uint64_t offset);

  // Live subscriptions and requests (broker_live.cc)
  void release_message(std::uint64_t offset, const Message& message);
  void answer_request(const Message& message);
  void end_request(const std::string& inbox, Result<Message> result);
  void abandon_request(const std::string& inbox, Error reason);
  void catch_up(SubscriptionId id);

  // The time of leases and retries: the wall's when the broker opened (or that of the newest
  // record, when it is later), and steady from then on. A clock that is set ends no lease early and
  // keeps none.
  [[nodiscard]] std::int64_t now_ms() const {
    return begin_ms_ + clock_.steady_us() / 1'000 - begin_steady_ms_;
  }

  Log& log_;
  Executor& loop_;
  const Clock& clock_;
  IdMaker& ids_;
  const BrokerOptions options_;
  std::atomic<SubscriptionId> last_subscription_{0};

  mutable std::mutex submit_mutex_;  // guards the two below, and changes of failed_
  std::vector<Submitted> submitted_;
  bool stopping_ = false;

  std::mutex durable_mutex_;  // guards the two below: written on the log's thread
  Status durable_status_;
  bool durable_posted_ = false;

  // -- the loop's own
  std::int64_t begin_steady_ms_ = 0;
  std::int64_t begin_ms_ = 0;
  State state_;
  broker::Timeline time_;
  std::uint64_t durable_ = 0;  // everything below was released
  std::uint64_t next_ = 0;
  std::deque<Pending> pending_;
  // Removals whose records are not durable yet, in order of the log.
  struct Removal {
    std::uint64_t end = 0;   // durable from here on
    std::string topic;       // "": any
    std::uint64_t last = 0;  // of the messages
  };
  std::deque<Removal> removals_;
  std::vector<Submitted> running_;
  std::optional<Error> failed_;
  bool finished_ = false;                              // by stop()
  std::map<std::string, std::deque<Waiter>> waiters_;  // by group; none is empty
  std::uint64_t last_waiter_ = 0;
  std::uint64_t last_lease_ = 0;
  std::map<LeaseName, Joiner> joiners_;
  std::map<SubscriptionId, Subscription> subscriptions_;
  broker::SubjectTree<Subscription*> subscription_tree_;
  std::unordered_map<std::string, Request> requests_;             // by inbox subject
  std::unordered_map<std::string, std::string> request_inboxes_;  // by message id
  std::function<void(const std::string&)> abandoned_;
  BodyCache bodies_;
  std::optional<std::pair<Executor::TimerId, std::int64_t>> timer_;       // and when it fires
  std::optional<std::pair<Executor::TimerId, std::int64_t>> keep_timer_;  // and when it fires
  std::string keep_from_;              // the topic to look at first
  std::uint64_t snapshot_before_ = 0;  // records that the newest written snapshot holds
  std::uint64_t snapshot_at_ = 0;
  bool snapshot_runs_ = false;
  std::thread snapshot_thread_;

  Counter& published_count_;
  Counter& duplicate_count_;
  Counter& delivered_count_;
  Counter& acked_count_;
  Counter& nacked_count_;
  Counter& expired_count_;
  Counter& late_count_;
  Counter& dead_count_;
  Counter& busy_count_;
  Counter& superseded_count_;
  Counter& overloaded_count_;
  Counter& late_reply_count_;
  Counter& receipt_count_;
  Counter& removed_count_;
};

}  // namespace qiao
