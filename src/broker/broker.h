// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "broker/stream_event.h"
#include "log/log.h"
#include "log/record.h"
#include "message/message.h"

namespace qiao {

struct Published {
  std::string id;
  std::uint64_t offset = 0;
  Durability durability = Durability::kMemory;
  bool duplicate = false;  // the id was published before: this is the first one's offset
};

struct StoredMessage {
  std::uint64_t offset = 0;
  Message message;
};

struct Page {
  std::vector<StoredMessage> messages;
  std::uint64_t next = 0;  // give it as `from` to go on
};

// What one step of work on a leased message gave (a model's answer, a tool's, a choice): whoever
// gets the message next takes it instead of doing the step again.
struct StepReceipt {
  std::string step;  // its name within the work, UTF-8; of equal names the newest counts
  std::string data;  // the owner's
  friend bool operator==(const StepReceipt&, const StepReceipt&) = default;
};

// One message handed to one consumer of a group until `until_ms`, with those that share its lease:
// they are acked, given back, parked and given up with it. The receipts are those of earlier
// attempts, oldest first, all of them durable.
struct Delivery {
  std::string group;
  std::uint64_t offset = 0;
  std::uint32_t attempt = 1;  // of those the group allows; one handed back comes as the same again
  std::int64_t until_ms = 0;
  Message message;
  std::vector<StoredMessage> followers{};
  std::vector<StepReceipt> receipts{};
  std::uint64_t lease = 0;  // its name: no other lease of the message ever has it
};
// A lease; what does not fit the one that holds now is refused with `conflict`.
struct LeaseRef {
  std::string group;
  std::uint64_t offset = 0;
  std::uint32_t attempt = 0;  // 0: any
  std::uint64_t lease = 0;    // 0: any, for callers that know the attempt alone
  // Of an ack: the newest message of the lease that its holder knows. When more have joined, it is
  // refused with `precondition`. None: whatever joined is acked.
  std::optional<std::uint64_t> through = {};
};
inline LeaseRef lease_of(const Delivery& delivery) {
  return {delivery.group, delivery.offset, delivery.attempt, delivery.lease};
}

// What a consumer can do; 0: not said. Tokens are estimated (broker/tokens.h).
struct Capacity {
  std::uint64_t tokens_per_s = 0;    // gets no more than it can do while its leases last
  std::uint64_t context_tokens = 0;  // gets no message that is longer
};
// Who asks for messages, and for how many.
struct LeaseWish {
  std::string consumer;
  std::size_t count = 1;
  std::int64_t wait_ms = 0;
  Capacity capacity{};
};

// How long to wait for what joins a lease, and what is known of it.
struct JoinWish {
  std::int64_t wait_ms = 0;
  // The newest message of the lease that the caller knows: what joined behind it comes again, as
  // the answer that told of it may be lost. None: only what joins now.
  std::optional<std::uint64_t> after{};
};

// Why a message is given back.
struct Failure {
  std::int64_t delay_ms = 0;  // before it is delivered again; 0: as the group's backoff says
  bool counts = true;         // false: handed back; eats no attempt, does not wait
  std::string reason;
  std::string error{};  // its class, for the group's rules
};

// A leased message is to rest, with its lane, until woken or until `until_ms`.
struct Park {
  LeaseRef lease;
  std::int64_t until_ms = 0;
  std::string reason;
};
struct ParkedMessage {
  std::string group;
  std::uint64_t offset = 0;
  std::int64_t until_ms = 0;
  std::string reason;
  Message message;
};
struct Wake {
  std::string group;
  std::uint64_t offset = 0;
};

// A receipt is kept until its message is acked or given up (bounds: broker/receipt_index.h).
struct LeaseReceipt {
  LeaseRef lease;
  StepReceipt receipt;
};

// What a publisher believes of a message's conversation in the message's topic: nothing came after
// what it saw.
struct Expectation {
  std::size_t message = 0;            // its place in Commit::publish
  std::optional<std::uint64_t> last;  // offset of the last one; none: there is none yet
};

// Everything one step of work changes, appended as one atomic batch.
struct Commit {
  std::vector<Message> publish;
  std::vector<LeaseRef> ack;
  std::vector<record::Event> events;
  std::vector<Park> park{};
  std::vector<Wake> wake{};
  // Of streams: attempt 0 stands for the newest; one that fits no more is left out.
  std::vector<record::Chunk> chunks = {};
  std::vector<LeaseReceipt> receipts = {};
  std::vector<Expectation> expected = {};  // `conflict` when one is wrong, unless its id is known
};

// What the log keeps of one answer: the newest attempt, without a hole.
struct StoredStream {
  std::uint32_t attempt = 0;
  bool ended = false;
  std::vector<StreamEvent> events;
};

struct TopicInfo {
  std::string subject;
  std::uint64_t messages = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t bytes = 0;    // of parts and headers
  std::string settings = {};  // the pattern whose settings hold; "" = none
};
struct GroupInfo {
  GroupSpec spec;
  std::uint64_t waiting = 0;  // not yet leased
  std::uint64_t leased = 0;
  std::uint64_t acked = 0;
  std::uint64_t parked = 0;            // of those that wait
  std::int64_t oldest_waiting_ms = 0;  // age
};

struct BrokerOptions {
  std::size_t commands_max = 1 << 16;    // waiting for the loop; past it: overloaded
  std::size_t dedupe_ids_max = 1 << 20;  // newest message ids remembered
  std::size_t body_cache_bytes = 64 << 20;
  std::size_t lease_batch_max = 256;
  std::size_t read_limit_max = 1'000;
  std::uint64_t snapshot_every = 1 << 18;  // records
  // The oldest record that somebody else still reads from the log (the history): nothing from there
  // on is trimmed. Null: nobody. Called on the loop.
  std::function<std::uint64_t()> needed_from;
  // Runs on the loop each time more records have become durable: for what follows the log.
  std::function<void()> on_progress;
  // Where snapshots are written; must outlive the broker. Null: a thread of the broker's own.
  Executor* snapshot_writer = nullptr;
};

// Topics over one log: publish-subscribe, groups with leases, request-reply, replay. It drives the
// deterministic state machine (broker/state.h): every change is a record, appended, applied in log
// order. Results leave when their records are durable, and a message is seen by nobody before it
// is. (Only the record of a lease is not waited for: losing it means one more delivery.)
//
// Owned by server/app. Thread rule: every method may be called from any thread and never blocks;
// callbacks run on the loop (`Executor` given to open) and must not block. Only a refusal may run
// at once on the caller's thread: `overloaded` when a bound is reached, `unavailable` after stop().
// When the log has failed, everything is answered with its Error.
class Broker {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  using Sink = std::function<void(const StoredMessage&)>;
  using SubscriptionId = std::uint64_t;

  // Recovers the state from the newest snapshot and the records after it (blocks). All references
  // must outlive the broker.
  static Result<std::unique_ptr<Broker>> open(Log& log, Executor& loop, const Clock& clock,
                                              IdMaker& ids, Metrics& metrics,
                                              BrokerOptions options = {});
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // All or none; ids of earlier messages are answered with the earlier offset, not stored again.
  // `overloaded` when a group that would get one has as many open as it or the topic allows;
  // `precondition` when the cause of one may cause no more (docs/internals/delivery.md).
  void publish(std::vector<Message> messages, Done<std::vector<Published>> done);
  // All or none; `conflict` when a lease to ack, to park or of a receipt is no longer held, when
  // what is to be woken is not parked, and when a group that rejects has another message of the
  // conversation. Receipts past their bounds are `precondition` (of one message) or `overloaded`.
  void commit(Commit commit, Done<std::vector<Published>> done);

  // How the messages of a pattern are kept (TopicSpec). Takes the place of the pattern's settings
  // of before, and works on what is there, within kKeepEveryMs. erase: `not_found` without
  // settings.
  static constexpr std::int64_t kKeepEveryMs = 1'000;
  void set_topic(TopicSpec spec, Done<void> done);
  void erase_topic_settings(std::string pattern, Done<void> done);
  void topic_settings(Done<std::vector<TopicSpec>> done);
  // Those of exactly this pattern; of a subject without its own those that hold for it.
  void settings_of(std::string pattern, Done<TopicSpec> done);

  // Idempotent for an equal spec; another one is `already_exists`, new settings of a flow's own.
  void create_group(GroupSpec spec, Done<void> done);
  void delete_group(std::string group, Done<void> done);
  // Up to `count` messages; waits up to `wait_ms` for the first one, then returns empty.
  // `cancel_wait` below ends a wait early.
  void lease(std::string group, std::string consumer, std::size_t count, std::int64_t wait_ms,
             Done<std::vector<Delivery>> done);
  void lease(std::string group, LeaseWish wish, Done<std::vector<Delivery>> done);
  void cancel_wait(std::string group, std::string consumer);
  void ack(std::vector<LeaseRef> leases, Done<void> done);
  void nack(LeaseRef lease, std::int64_t delay_ms, bool counts, std::string reason,
            Done<void> done);
  void nack(LeaseRef lease, Failure failure, Done<void> done);
  void extend(LeaseRef lease, std::int64_t lease_ms, Done<std::int64_t> done);
  // Takes into the lease what came behind its message (groups that merge or steer); waits up to
  // `wait_ms` for the first one, then answers empty. `conflict` as soon as the lease has ended,
  // in every group: who holds it hears at once. One call per lease: a later one ends an earlier.
  void join(LeaseRef lease, std::int64_t wait_ms, Done<std::vector<StoredMessage>> done);
  void join(LeaseRef lease, JoinWish wish, Done<std::vector<StoredMessage>> done);

  // Of one step or several, all or none; `done` when durable.
  void store_receipts(LeaseRef lease, std::vector<StepReceipt> receipts, Done<void> done);

  // Eats no attempt. `until_ms` is at most kParkMsMax ahead; its end wakes.
  static constexpr std::int64_t kParkMsMax = 30LL * 24 * 3'600 * 1'000;
  void park(LeaseRef lease, std::int64_t until_ms, std::string reason, Done<void> done);
  // `conflict` when it is not parked.
  void wake(std::string group, std::uint64_t offset, Done<void> done);
  // At most read_limit_max, the oldest first.
  void parked(std::string group, Done<std::vector<ParkedMessage>> done);

  // Publishes a dead letter where it came from, with a new id, and removes it, both or neither.
  // `parts`, if any, take the place of its text. `not_found`: no dead letter is kept there.
  void retry_letter(std::uint64_t offset, std::vector<Part> parts, Done<Published> done);
  void drop_letter(std::uint64_t offset, std::string reason, Done<void> done);

  // Live messages of a pattern, after those kept from offset `from` on (none: only new ones).
  // Requires: a valid pattern. The sink must not block: a reader that cannot keep up unsubscribes
  // and comes back with `from`. It may still run until the loop has seen unsubscribe().
  SubscriptionId subscribe(std::string pattern, std::optional<std::uint64_t> from, Sink sink);
  void unsubscribe(SubscriptionId subscription);

  // Publishes with a private reply_to and waits for the first answer. `not_found` at once when no
  // subscription and no group would see it ("no responder"); `deadline` after timeout_ms;
  // `already_exists` when its id was published before.
  void request(Message message, std::int64_t timeout_ms, Done<Message> done);
  // The one who asked went away: its request ends with `cancelled`; an answer is dropped.
  void cancel_request(std::string message_id);
  // `abandoned` hears, on the loop, of each request that ends without an answer (by its deadline or
  // by cancel_request): whoever works on that message may stop. Requires: before the first request.
  void when_abandoned(std::function<void(const std::string& message_id)> abandoned);

  // The durable side of token streams (broker/streams.h). open_stream begins the next attempt and
  // gives its number when that is durable; nothing of the attempt may be shown before. Then chunks
  // may be appended, all or none. read_stream: `not_found` when nothing is kept.
  void open_stream(std::string stream, Done<std::uint32_t> done);
  void append_chunks(std::vector<record::Chunk> chunks, Done<void> done);
  void read_stream(std::string stream, Done<StoredStream> done);

  // Kept messages of a pattern from offset `from` on.
  void read(std::string pattern, std::uint64_t from, std::size_t limit, Done<Page> done);
  void topics(Done<std::vector<TopicInfo>> done);
  void groups(Done<std::vector<GroupInfo>> done);

  // Why nothing more is accepted, once the log has failed: until a restart.
  [[nodiscard]] std::optional<Error> failure() const;

  // Asks for a snapshot now (also made every snapshot_every records).
  void snapshot(Done<void> done);
  // Refuses new work, answers what waits with `unavailable`, lets running commits become durable,
  // writes a snapshot. Blocks: not from the loop. Without it a destroyed broker forgets its calls.
  void stop();
  // The same without blocking, on the loop: `stopped` runs there when the snapshot is written.
  void stop(std::function<void()> stopped);

 private:
  class Impl;
  explicit Broker(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace qiao
