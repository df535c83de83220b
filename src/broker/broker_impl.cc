// SPDX-License-Identifier: Apache-2.0
// Recovery, the loop's intake, append and release, publish and commit.
#include "broker/broker_impl.h"

#include <algorithm>
#include <future>

#include "base/logging.h"
#include "message/subject.h"

namespace qiao {
namespace {

constexpr std::size_t kRecoverCount = 4'096;
constexpr std::size_t kRecoverBytes = 16 << 20;
// Consumers of this process: what they held before a restart is free at once.
constexpr std::string_view kLocalConsumers = "flow/";

}  // namespace

Broker::Impl::Impl(Log& log, Executor& loop, const Clock& clock, IdMaker& ids, Metrics& metrics,
                   BrokerOptions options)
    : log_(log),
      loop_(loop),
      clock_(clock),
      ids_(ids),
      options_(options),
      state_(options.dedupe_ids_max),
      published_count_(metrics.counter("qiao_published_total", "Messages stored")),
      duplicate_count_(
          metrics.counter("qiao_duplicates_total", "Messages whose id was stored before")),
      delivered_count_(metrics.counter("qiao_delivered_total", "Messages leased to consumers")),
      acked_count_(metrics.counter("qiao_acked_total", "Messages acked in groups")),
      nacked_count_(metrics.counter("qiao_nacked_total", "Messages given back")),
      expired_count_(metrics.counter("qiao_expired_total", "Leases that ran out")),
      dead_count_(metrics.counter("qiao_dead_letters_total", "Messages given up")),
      overloaded_count_(
          metrics.counter("qiao_overloaded_total", "Calls refused because a bound was reached")) {}

Status Broker::Impl::recover() {
  QIAO_ASSIGN(std::optional<Snapshot> snapshot, log_.load_snapshot());
  const LogBounds bounds = log_.bounds();
  next_ = bounds.first;
  if (snapshot && snapshot->next_offset >= bounds.first && snapshot->next_offset <= bounds.next) {
    QIAO_TRY(state_.restore(snapshot->bytes));
    next_ = snapshot->next_offset;
  }
  while (next_ < bounds.next) {
    QIAO_ASSIGN(const std::vector<LogEntry> entries,
                log_.read(next_, kRecoverCount, kRecoverBytes));
    if (entries.empty()) break;
    for (const LogEntry& entry : entries) {
      QIAO_ASSIGN(const Record record, decode_record(entry.record));
      state_.apply(entry.offset, record);
    }
    next_ = entries.back().offset + 1;
  }
  durable_ = next_;
  snapshot_at_ = next_ + options_.snapshot_every;
  for (auto& [name, group] : state_.groups()) {
    for (const std::uint64_t offset : group.leased_by(kLocalConsumers)) {
      const std::int64_t now = clock_.wall_ms();
      QIAO_TRY(append({record::Nacked{now, name, offset, 0, false, "the server restarted"}}, {}));
    }
  }
  return {};
}

void Broker::Impl::submit(std::function<void()> work, const std::function<void(Error)>& refuse) {
  std::optional<Error> refused;
  bool post = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = unavailable("the broker is stopping");
    } else if (submitted_.size() >= options_.commands_max) {
      overloaded_count_.add();
      refused = overloaded(std::to_string(options_.commands_max) +
                           " calls wait for the broker; try again");
    } else {
      post = submitted_.empty();
      submitted_.emplace_back(std::move(work), refuse);
    }
  }
  if (refused) return refuse(*refused);
  if (!post) return;
  if (Status posted = loop_.post([self = shared_from_this()] { self->run_submitted(); }); !posted) {
    std::vector<std::pair<std::function<void()>, std::function<void(Error)>>> lost;
    {
      std::lock_guard lock(mutex_);
      lost.swap(submitted_);
    }
    for (const auto& [task, tell] : lost) tell(posted.error());
  }
}

void Broker::Impl::run_submitted() {
  std::vector<std::pair<std::function<void()>, std::function<void(Error)>>> batch;
  {
    std::lock_guard lock(mutex_);
    batch.swap(submitted_);
  }
  for (const auto& [work, refuse] : batch) {
    if (failed_) {
      refuse(*failed_);
    } else {
      work();
    }
  }
}

Status Broker::Impl::append(std::vector<Record> records, Release release) {
  if (failed_) return *failed_;
  std::vector<LogRecord> batch;
  batch.reserve(records.size());
  for (const Record& record : records) batch.push_back(encode(record));
  auto done = [weak = weak_from_this()](Status status) {
    if (const auto self = weak.lock()) self->on_durable(status);
  };
  QIAO_ASSIGN(const std::uint64_t first, log_.append(std::move(batch), std::move(done)));
  for (std::size_t i = 0; i < records.size(); ++i) state_.apply(first + i, records[i]);
  next_ = first + records.size();
  if (release) pending_.push_back({next_, std::move(release)});
  return {};
}

// On the log's thread: many batches become one task of the loop.
void Broker::Impl::on_durable(const Status& status) {
  {
    std::lock_guard lock(durable_mutex_);
    if (!status && durable_status_) durable_status_ = status;
    if (durable_posted_) return;
    durable_posted_ = true;
  }
  const Status posted = loop_.post([self = shared_from_this()] { self->drain_durable(); });
  if (!posted) {
    std::lock_guard lock(durable_mutex_);
    durable_posted_ = false;
  }
}

void Broker::Impl::drain_durable() {
  Status status;
  {
    std::lock_guard lock(durable_mutex_);
    durable_posted_ = false;
    status = durable_status_;
  }
  if (!status) return fail(status.error());
  durable_ = log_.bounds().durable;
  while (!pending_.empty() && pending_.front().end <= durable_) {
    const Release release = std::move(pending_.front().release);
    pending_.pop_front();
    release({});
  }
  for (auto& [name, waiting] : waiters_) {
    if (!waiting.empty()) serve(name);
  }
  arm_timer();
  maybe_snapshot();
}

void Broker::Impl::fail(const Error& error) {
  if (failed_) return;
  failed_ = error;
  log_error("broker", "the log failed, nothing more is accepted: " + error.message);
  std::deque<Pending> pending;
  pending.swap(pending_);
  for (const Pending& entry : pending) entry.release(Status(error));
  for (auto& [name, waiting] : waiters_) {
    for (const Waiter& waiter : waiting) waiter.done(error);
    waiting.clear();
  }
  for (auto& [inbox, request] : requests_) request.done(error);
  requests_.clear();
}

Status Broker::Impl::prepare(Message& message) {
  if (message.id.empty()) message.id = ids_.next();
  message.time_ms = clock_.wall_ms();
  return validate(message);
}

Status Broker::Impl::check_lease(const LeaseRef& lease) {
  GroupState* group = state_.group(lease.group);
  if (group == nullptr) return not_found("there is no group '" + lease.group + "'");
  const GroupState::Item* item = group->leased(lease.offset);
  if (item == nullptr || (lease.attempt != 0 && lease.attempt != item->attempt)) {
    return Error{Code::kConflict, "the lease of message " + std::to_string(lease.offset) +
                                      " in group '" + lease.group +
                                      "' has ended; it may be with somebody else"};
  }
  return {};
}

// Checks everything before anything is made: a commit is all or none.
Result<std::vector<Record>> Broker::Impl::records_of(Commit& commit,
                                                     std::vector<Published>& published,
                                                     std::uint64_t& wait_for,
                                                     std::vector<std::size_t>& fresh) {
  std::vector<Record> records;
  records.reserve(commit.publish.size() + commit.ack.size() + commit.events.size());
  std::unordered_map<std::string_view, std::size_t> in_batch;
  for (std::size_t i = 0; i < commit.publish.size(); ++i) {
    Message& message = commit.publish[i];
    QIAO_TRY(prepare(message));
    Published& result = published.emplace_back();
    result.id = message.id;
    result.durability = log_.durability();
    if (const auto before = state_.offset_of(message.id)) {
      result.offset = *before;
      result.duplicate = true;
      wait_for = std::max(wait_for, *before + 1);
    } else if (const auto twin = in_batch.find(message.id); twin != in_batch.end()) {
      result.offset = next_ + twin->second;
      result.duplicate = true;
    } else {
      result.offset = next_ + records.size();
      in_batch.emplace(message.id, records.size());
      fresh.push_back(i);
      records.emplace_back(record::Published{message});
    }
    if (result.duplicate) duplicate_count_.add();
  }
  const std::int64_t now = clock_.wall_ms();
  for (const LeaseRef& lease : commit.ack) {
    QIAO_TRY(check_lease(lease));
    records.emplace_back(record::Acked{now, lease.group, lease.offset});
  }
  for (record::Event& event : commit.events) {
    if (event.time_ms == 0) event.time_ms = now;
    records.emplace_back(std::move(event));
  }
  return records;
}

void Broker::Impl::commit(Commit commit, Done<std::vector<Published>> done) {
  std::vector<Published> published;
  std::vector<std::size_t> fresh;
  std::uint64_t wait_for = 0;
  Result<std::vector<Record>> records = records_of(commit, published, wait_for, fresh);
  if (!records) return done(std::move(records.error()));
  if (records->empty()) {  // only duplicates
    auto release = [done, published](Status status) {
      status ? done(published) : done(std::move(status.error()));
    };
    if (wait_for <= durable_) return release({});
    pending_.push_back({next_, std::move(release)});
    return;
  }
  std::vector<std::pair<std::uint64_t, MessagePtr>> messages;
  for (const std::size_t i : fresh) {
    auto message = std::make_shared<const Message>(std::move(commit.publish[i]));
    remember_body(published[i].offset, message);
    messages.emplace_back(published[i].offset, std::move(message));
  }
  const std::size_t acks = commit.ack.size();
  const Status appended = append(std::move(*records), [this, done, messages = std::move(messages),
                                                       published, acks](Status status) {
    if (!status) return done(std::move(status.error()));
    published_count_.add(messages.size());
    acked_count_.add(acks);
    done(published);
    for (const auto& [offset, message] : messages) release_message(offset, message);
  });
  if (!appended) {
    overloaded_count_.add(appended.error().code == Code::kOverloaded ? 1 : 0);
    done(appended.error());
  }
}

void Broker::Impl::release_message(std::uint64_t offset, const MessagePtr& message) {
  if (message->subject.starts_with(kInboxPrefix)) return answer_request(*message);
  send_live(offset, *message);
}

Result<Broker::Impl::MessagePtr> Broker::Impl::body(std::uint64_t offset) {
  if (const auto found = bodies_.find(offset); found != bodies_.end()) return found->second;
  QIAO_ASSIGN(const std::vector<LogEntry> entries, log_.read(offset, 1, 1));
  if (entries.empty()) return not_found("message " + std::to_string(offset) + " is not in the log");
  QIAO_ASSIGN(Record record, decode_record(entries.front().record));
  auto* published = std::get_if<record::Published>(&record);
  if (published == nullptr) return not_found("record " + std::to_string(offset) + " is no message");
  auto message = std::make_shared<const Message>(std::move(published->message));
  remember_body(offset, message);
  return message;
}

void Broker::Impl::remember_body(std::uint64_t offset, MessagePtr message) {
  std::size_t bytes = 256;
  for (const Part& part : message->parts) bytes += part.data.size();
  if (!bodies_.emplace(offset, std::move(message)).second) return;
  body_order_.emplace_back(offset, bytes);
  body_bytes_ += bytes;
  while (body_bytes_ > options_.body_cache_bytes) {
    bodies_.erase(body_order_.front().first);
    body_bytes_ -= body_order_.front().second;
    body_order_.pop_front();
  }
}

void Broker::Impl::maybe_snapshot() {
  if (next_ < snapshot_at_ || durable_ < next_) return;
  snapshot_at_ = next_ + options_.snapshot_every;
  snapshot([](const Status& status) {
    if (!status) log_warn("broker", "a snapshot failed: " + status.error().message);
  });
}

void Broker::Impl::snapshot(Done<void> done) {
  if (durable_ < next_) {  // only what is durable may be in a snapshot
    pending_.push_back({next_, [this, done](Status status) {
                          if (!status) return done(status);
                          snapshot(done);
                        }});
    return;
  }
  done(log_.save_snapshot({next_, state_.save()}));
}

void Broker::Impl::stop() {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  auto finished = std::make_shared<std::promise<void>>();
  auto future = finished->get_future();
  const Status posted = loop_.post([self = shared_from_this(), finished] {
    const Error stopping = unavailable("the broker is stopping");
    for (auto& [name, waiting] : self->waiters_) {
      for (const Waiter& waiter : waiting) waiter.done(stopping);
      waiting.clear();
    }
    for (auto& [inbox, request] : self->requests_) request.done(stopping);
    self->requests_.clear();
    self->subscriptions_.clear();
    if (self->failed_) return finished->set_value();
    self->snapshot([finished](const Status& status) {
      if (!status) log_warn("broker", "the last snapshot failed: " + status.error().message);
      finished->set_value();
    });
  });
  if (posted) future.wait_for(std::chrono::seconds(30));
}

}  // namespace qiao
